"""token_families: what makes every token of an authorization live or dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Db, many, maybe, run, value


@dataclass(frozen=True, slots=True)
class Live:
    """A living authorization and its user."""

    family_id: str | None
    client_id: str
    client_epoch: int
    user_id: str | None
    session_id: str | None


async def live(db: Db, *, app_id: str, id: str, jti: str, epoch: int) -> Live | None:
    """None where the grant, its session, its user or the one token (by jti) was ended."""
    return await maybe(
        db,
        Live,
        """
        SELECT f.id AS family_id, f.client_id, f.client_epoch, f.user_id, f.session_id
        FROM token_families f
        JOIN users u ON u.app_id = $1 AND u.id = f.user_id AND NOT u.disabled AND u.epoch = $4
        WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL
          AND (f.offline OR EXISTS (
              SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = f.session_id
                AND s.revoked_at IS NULL AND s.expires_at > now()
                AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())))
          AND NOT EXISTS (SELECT FROM revoked_tokens t WHERE t.app_id = $1 AND t.jti = $3)
        """,
        app_id,
        id,
        jti,
        epoch,
    )


async def revoked(db: Db, *, app_id: str, jti: str) -> bool:
    """Whether a token without a grant (client_credentials) was revoked."""
    return bool(
        await value(
            db,
            "SELECT EXISTS (SELECT FROM revoked_tokens WHERE app_id = $1 AND jti = $2)",
            app_id,
            jti,
        )
    )


async def revoke_jti(db: Db, *, app_id: str, jti: str, expires_at: datetime) -> None:
    await run(
        db,
        """
        INSERT INTO revoked_tokens (app_id, jti, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        jti,
        expires_at,
    )


async def end(db: Db, *, app_id: str, id: str, reason: str) -> bool:
    """End every token of the grant. False where it was ended before."""
    return (
        await run(
            db,
            """
        UPDATE token_families SET revoked_at = now(), revoked_reason = $3
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
        """,
            app_id,
            id,
            reason,
        )
        == 1
    )


async def end_of_client(
    db: Db, *, app_id: str, client_id: str, user_id: str | None, reason: str
) -> list[str]:
    """Ends the grants that all users, or one of them, gave the client. Returns their ids."""
    if user_id is None:
        rows = await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = $3
            WHERE app_id = $1 AND client_id = $2 AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            client_id,
            reason,
        )
    else:
        rows = await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = $4
            WHERE app_id = $1 AND client_id = $2 AND user_id = $3 AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            client_id,
            user_id,
            reason,
        )
    return [row["id"] for row in rows]


async def end_online_of_session(db: Db, *, app_id: str, session_id: str) -> list[str]:
    """End what lives no longer than the session; its offline grants go on."""
    return [
        row["id"]
        for row in await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = 'logout'
            WHERE app_id = $1 AND session_id = $2 AND NOT offline AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            session_id,
        )
    ]


@dataclass(frozen=True, slots=True)
class Profile:
    """A living user's standard claims."""

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
    created_at: datetime
    updated_at: datetime


async def profile(db: Db, *, app_id: str, user_id: str) -> Profile | None:
    return await maybe(
        db,
        Profile,
        """
        SELECT id, email, email_verified, name, given_name, family_name, middle_name, nickname,
               preferred_username, profile, picture, website, gender, birthdate, zoneinfo, locale,
               phone_number, phone_number_verified, address, public_metadata, user_metadata,
               created_at, updated_at
        FROM users WHERE app_id = $1 AND id = $2 AND NOT disabled
        """,
        app_id,
        user_id,
    )


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    slug: str
    name: str
    role: str
    public_metadata: dict[str, Any]


async def organization(db: Db, *, app_id: str, org_id: str, user_id: str) -> Organization | None:
    """The organization, if the user is its member."""
    return await maybe(
        db,
        Organization,
        """
        SELECT o.id, o.slug, o.name, m.role_id AS role, o.public_metadata
        FROM organization_members m JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
        WHERE m.app_id = $1 AND m.org_id = $2 AND m.user_id = $3
        """,
        app_id,
        org_id,
        user_id,
    )


@dataclass(frozen=True, slots=True)
class Opaque:
    """An opaque access token that still holds."""

    jti: str
    family_id: str | None
    client_id: str
    user_id: str | None
    sid: str | None
    scopes: list[str]
    audience: list[str]
    claims: dict[str, Any]
    user_epoch: int
    expires_at: datetime
    created_at: datetime


async def opaque(db: Db, *, app_id: str, token_hashes: list[str]) -> Opaque | None:
    found = await many(
        db,
        Opaque,
        """
        SELECT jti, family_id, client_id, user_id, sid, scopes, audience, claims, user_epoch,
               expires_at, created_at
        FROM access_tokens
        WHERE app_id = $1 AND token_hash = ANY ($2) AND revoked_at IS NULL AND expires_at > now()
        """,
        app_id,
        token_hashes,
    )
    return found[0] if found else None
