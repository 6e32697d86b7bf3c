"""Organizations, as one caller sees them: `role` is his own in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import keyset
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class Row:
    id: str
    slug: str
    name: str
    logo_url: str | None
    is_personal: bool
    public_metadata: dict[str, Any]
    private_metadata: dict[str, Any]
    role: str | None
    created_at: datetime
    updated_at: datetime


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
) -> bool:
    """False where the slug is taken, or the personal team is there already."""
    return (
        await run(
            db,
            """
        INSERT INTO organizations (app_id, id, slug, name, logo_url, is_personal, created_by,
                                   public_metadata, private_metadata)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
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
        )
        == 1
    )


async def by_id(db: Db, *, app_id: str, id: str, user_id: str | None) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at
        FROM organizations o
        LEFT JOIN organization_members m
            ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $3
        WHERE o.app_id = $1 AND o.id = $2
        """,
        app_id,
        id,
        user_id,
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Until the transaction ends nobody else changes its members' roles. False if missing.

    Not FOR UPDATE: somebody joining, whose row refers to this one, need not wait.
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


async def personal(db: Db, *, app_id: str, user_id: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at
        FROM organizations o
        LEFT JOIN organization_members m
            ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
        WHERE o.app_id = $1 AND o.created_by = $2 AND o.is_personal
        """,
        app_id,
        user_id,
    )


async def name_key(db: Db, *, text: str) -> str:
    """Returns the text as names are stored for searches: like a slug, in any script."""
    found: str = await value(
        db,
        """
        -- any-tenant: computes, reads no table
        SELECT organization_key($1::text)
        """,
        text,
    )
    return found


async def mine(
    db: Db, *, app_id: str, user_id: str, prefix: str, after: str | None, limit: int
) -> list[Row]:
    """Returns the user's organizations whose slug or name begins with `prefix`, which may be empty."""
    return await many(
        db,
        Row,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at
        FROM organization_members m
        JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
        WHERE m.app_id = $1 AND m.user_id = $2 AND m.org_id > $4::uuid
          AND (starts_with(o.slug, $3) OR starts_with(o.name_key, $3))
        ORDER BY m.org_id LIMIT $5
        """,
        app_id,
        user_id,
        prefix,
        after or keyset.LOWEST_ID,
        limit,
    )


async def page(
    db: Db, *, app_id: str, user_id: str | None, after: str | None, limit: int
) -> list[Row]:
    return await many(
        db,
        Row,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at
        FROM organizations o
        LEFT JOIN organization_members m
            ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
        WHERE o.app_id = $1 AND o.id > $3::uuid
        ORDER BY o.id LIMIT $4
        """,
        app_id,
        user_id,
        after or keyset.LOWEST_ID,
        limit,
    )


@dataclass(frozen=True)
class Match(Row):
    """An organization and what a search found it by: its slug, or the key of its name."""

    key: str


Place = tuple[str | None, str | None]
"""Key and id of the last organization of the page before; (None, None) before the first."""


async def matching(
    db: Db, *, app_id: str, user_id: str | None, prefix: str, after: Place, limit: int
) -> list[Match]:
    """Returns organizations whose slug begins with `prefix`, or else their name, sorted by that.
    Each of the two is the range of an index; names that became the slug are not in the second."""
    place = (prefix, keyset.LOWEST_ID) if after[0] is None else after
    return await many(
        db,
        Match,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at, found.key
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
        LEFT JOIN organization_members m
            ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
        ORDER BY found.key, found.id LIMIT $6
        """,
        app_id,
        user_id,
        *place,
        prefix,
        limit,
    )


async def update(
    db: Db,
    *,
    app_id: str,
    id: str,
    slug: str,
    name: str,
    logo_url: str | None,
    public_metadata: dict[str, Any],
    private_metadata: dict[str, Any],
) -> None:
    await run(
        db,
        """
        UPDATE organizations
        SET slug = $3, name = $4, logo_url = $5, public_metadata = $6, private_metadata = $7,
            updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        slug,
        name,
        logo_url,
        public_metadata,
        private_metadata,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    await run(db, "DELETE FROM organizations WHERE app_id = $1 AND id = $2", app_id, id)
