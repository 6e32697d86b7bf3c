"""users and their organizations, as far as claims tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Db, maybe


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user as claims describe them."""

    id: str
    email: str | None
    email_verified: bool
    name: str | None
    given_name: str | None
    family_name: str | None
    middle_name: str | None
    nickname: str | None
    preferred_username: str | None
    profile: str | None
    picture: str | None
    website: str | None
    gender: str | None
    birthdate: str | None
    zoneinfo: str | None
    locale: str | None
    phone_number: str | None
    phone_number_verified: bool
    address: dict[str, Any] | None
    public_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    guest: bool
    created_at: datetime
    updated_at: datetime


async def find(db: Db, *, app_id: str, user_id: str) -> UserProfile | None:
    """Finds a user who is not disabled."""
    return await maybe(
        db,
        UserProfile,
        """
        SELECT id, email, email_verified, name, given_name, family_name, middle_name, nickname,
               preferred_username, profile, picture, website, gender, birthdate, zoneinfo, locale,
               phone_number, phone_number_verified, address, public_metadata, user_metadata, guest,
               created_at, updated_at
        FROM users WHERE app_id = $1 AND id = $2 AND NOT disabled
        """,
        app_id,
        user_id,
    )


@dataclass(frozen=True, slots=True)
class UserOrganization:
    """An organization and the user's role in it."""

    id: str
    slug: str
    name: str
    role: str
    public_metadata: dict[str, Any]


async def find_organization(
    db: Db, *, app_id: str, org_id: str, user_id: str
) -> UserOrganization | None:
    """Finds an organization, if the user is a member of it."""
    return await maybe(
        db,
        UserOrganization,
        """
        SELECT o.id, o.slug, o.name, m.role_id AS role, o.public_metadata
        FROM organization_members m JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
        WHERE m.app_id = $1 AND m.org_id = $2 AND m.user_id = $3
        """,
        app_id,
        org_id,
        user_id,
    )
