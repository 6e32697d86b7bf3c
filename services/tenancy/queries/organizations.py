"""Reads and writes organizations. `role` in a row is the role of one user there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common import keyset
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class OrganizationRow:
    """An organization, and the role of the user who reads it, or None."""

    id: str
    slug: str
    name: str
    logo_url: str | None
    is_personal: bool
    sso_required: bool
    public_metadata: dict[str, Any]
    private_metadata: dict[str, Any]
    role: str | None
    created_at: datetime
    updated_at: datetime


COLUMNS: Final = """
    o.id, o.slug, o.name, o.logo_url, o.is_personal, o.sso_required, o.public_metadata,
    o.private_metadata, m.role_id AS role, o.created_at, o.updated_at"""
"""Of `organizations o` and `organization_members m`, for a `OrganizationRow`."""

BY_ID: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $3
    WHERE o.app_id = $1 AND o.id = $2
    """
PERSONAL_TEAM: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    WHERE o.app_id = $1 AND o.created_by = $2 AND o.is_personal
    """
PAGE: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    WHERE o.app_id = $1 AND o.id > $3::uuid
    ORDER BY o.id LIMIT $4
    """
PAGE_OF_USER: Final = f"""
    SELECT {COLUMNS}
    FROM organization_members m
    JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
    WHERE m.app_id = $1 AND m.user_id = $2 AND m.org_id > $4::uuid
      AND (starts_with(o.slug, $3) OR starts_with(o.name_key, $3))
    ORDER BY m.org_id LIMIT $5
    """
SEARCH: Final = f"""
    SELECT {COLUMNS}, found.key
    FROM (
        (SELECT s.id, s.slug COLLATE "C" AS key FROM organizations s
         WHERE s.app_id = $1 AND (s.slug COLLATE "C", s.id) > ($3, $4::uuid)
           AND s.slug COLLATE "C" < $5 || chr(1114111)
         ORDER BY s.slug COLLATE "C", s.id LIMIT $6)
        UNION ALL
        (SELECT n.id, n.name_key AS key FROM organizations n
         WHERE n.app_id = $1 AND (n.name_key, n.id) > ($3, $4::uuid)
           AND n.name_key < $5 || chr(1114111)
           AND NOT starts_with(n.slug COLLATE "C", n.name_key)
           AND NOT starts_with(n.slug COLLATE "C", $5)
         ORDER BY n.name_key, n.id LIMIT $6)
    ) AS found
    JOIN organizations o ON o.app_id = $1 AND o.id = found.id
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    ORDER BY found.key, found.id LIMIT $6
    """


async def by_id(db: Db, *, app_id: str, id: str, user_id: str | None) -> OrganizationRow | None:
    """Returns the organization as this user sees it, or None."""
    return await maybe(db, OrganizationRow, BY_ID, app_id, id, user_id)


async def personal_team(db: Db, *, app_id: str, user_id: str) -> OrganizationRow | None:
    """Returns the user's personal team, or None."""
    return await maybe(db, OrganizationRow, PERSONAL_TEAM, app_id, user_id)


async def page(
    db: Db, *, app_id: str, user_id: str | None, after: str | None, limit: int
) -> list[OrganizationRow]:
    """Returns the application's organizations after that id, as this user sees them."""
    return await many(db, OrganizationRow, PAGE, app_id, user_id, after or keyset.LOWEST_ID, limit)


async def page_of_user(
    db: Db, *, app_id: str, user_id: str, prefix: str, after: str | None, limit: int
) -> list[OrganizationRow]:
    """Returns the user's organizations after that id whose slug or name begins with `prefix`."""
    return await many(
        db, OrganizationRow, PAGE_OF_USER, app_id, user_id, prefix, after or keyset.LOWEST_ID, limit
    )


@dataclass(frozen=True)
class Match(OrganizationRow):
    """An organization and the text that matched the search: its slug, or the key of its name."""

    key: str


Place = tuple[str | None, str | None]
"""Key and id of the last organization of the page before; (None, None) before the first."""


async def search(
    db: Db, *, app_id: str, user_id: str | None, prefix: str, after: Place, limit: int
) -> list[Match]:
    """Returns organizations whose slug or name begins with `prefix`, sorted by what matched.

    Slugs and names are one range of an index each. A name that became the slug matches once, as
    the slug.
    """
    place = (prefix, keyset.LOWEST_ID) if after[0] is None else after
    return await many(db, Match, SEARCH, app_id, user_id, *place, prefix, limit)


async def name_key(db: Db, *, text: str) -> str:
    """Returns the text as names are stored for searches: like a slug, in any script."""
    key: str = await value(
        db,
        """
        -- any-tenant: computes, reads no table
        SELECT organization_key($1::text)
        """,
        text,
    )
    return key


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    slug: str,
    name: str,
    logo_url: str | None = None,
    is_personal: bool = False,
    created_by: str | None = None,
    public_metadata: dict[str, Any] | None = None,
    private_metadata: dict[str, Any] | None = None,
    request_key: str | None = None,
) -> bool:
    """Adds an organization. Returns False if the slug or `request_key` is in use, or the user has a
    personal team.

    Raises ForeignKeyViolationError for an unknown creator.
    """
    return (
        await run(
            db,
            """
            INSERT INTO organizations (app_id, id, slug, name, logo_url, is_personal, created_by,
                                       public_metadata, private_metadata, request_key)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT DO NOTHING
            """,
            app_id,
            id,
            slug,
            name,
            logo_url,
            is_personal,
            created_by,
            public_metadata or {},
            private_metadata or {},
            request_key,
        )
        == 1
    )


async def id_of_request(db: Db, *, app_id: str, request_key: str) -> str | None:
    """Returns the id of the organization that was created by this request, or None."""
    id: str | None = await value(
        db,
        "SELECT id FROM organizations WHERE app_id = $1 AND request_key = $2",
        app_id,
        request_key,
    )
    return id


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Locks the organization's row, and with it the roles of its members.

    Returns False if it is missing. The lock is not FOR UPDATE: a new member, whose row refers to
    this one, need not wait.
    """
    return (
        await run(
            db,
            "SELECT FROM organizations WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE",
            app_id,
            id,
        )
        == 1
    )


async def update(
    db: Db,
    *,
    app_id: str,
    id: str,
    slug: str,
    name: str,
    logo_url: str | None,
    sso_required: bool,
    public_metadata: dict[str, Any],
    private_metadata: dict[str, Any],
) -> None:
    """Sets all fields that can change. Raises UniqueViolationError if the slug is in use."""
    await run(
        db,
        """
        UPDATE organizations
        SET slug = $3, name = $4, logo_url = $5, public_metadata = $6, private_metadata = $7,
            sso_required = $8, updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        slug,
        name,
        logo_url,
        public_metadata,
        private_metadata,
        sso_required,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    """Deletes the organization. Raises ForeignKeyViolationError if it owns applications."""
    await run(db, "DELETE FROM organizations WHERE app_id = $1 AND id = $2", app_id, id)
