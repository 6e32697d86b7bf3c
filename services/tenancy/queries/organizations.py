"""Organizations, as one caller sees them: `role` is his own in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import keyset
from common.db import Db, many, maybe, run


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


async def mine(
    db: Db, *, app_id: str, user_id: str, search: str | None, after: str | None, limit: int
) -> list[Row]:
    return await many(
        db,
        Row,
        """
        SELECT o.id, o.slug, o.name, o.logo_url, o.is_personal, o.public_metadata,
               o.private_metadata, m.role_id AS role, o.created_at, o.updated_at
        FROM organization_members m
        JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
        WHERE m.app_id = $1 AND m.user_id = $2 AND m.org_id > $4::uuid
          AND ($3::text IS NULL OR starts_with(o.slug, lower($3)) OR starts_with(lower(o.name), lower($3)))
        ORDER BY m.org_id LIMIT $5
        """,
        app_id,
        user_id,
        search,
        after or keyset.LOWEST_ID,
        limit,
    )


async def page(
    db: Db, *, app_id: str, user_id: str | None, search: str | None, after: str | None, limit: int
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
        WHERE o.app_id = $1 AND o.id > $4::uuid
          AND ($3::text IS NULL OR starts_with(o.slug, lower($3)) OR starts_with(lower(o.name), lower($3)))
        ORDER BY o.id LIMIT $5
        """,
        app_id,
        user_id,
        search,
        after or keyset.LOWEST_ID,
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
