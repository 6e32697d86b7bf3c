"""Permissions: the built-in ones and the application's own."""

from __future__ import annotations

from common.contracts.permissions import Permission
from common.db import Db, many, maybe, one, run


async def by_id(db: Db, *, app_id: str, id: str) -> Permission | None:
    return await maybe(
        db,
        Permission,
        """
        SELECT id, name, resource, action, description, is_system, created_at
        FROM permissions WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
    )


async def page(db: Db, *, app_id: str, after: str | None, limit: int) -> list[Permission]:
    return await many(
        db,
        Permission,
        """
        SELECT id, name, resource, action, description, is_system, created_at
        FROM permissions WHERE app_id = $1 AND ($2::text IS NULL OR id > $2)
        ORDER BY id LIMIT $3
        """,
        app_id,
        after,
        limit,
    )


async def builtin(db: Db, *, app_id: str, among: list[str]) -> list[str]:
    """Which of these act on the whole application."""
    found = await db.fetch(
        """
        SELECT id FROM permissions
        WHERE app_id = $1 AND id = ANY($2::text[]) AND is_system ORDER BY id
        """,
        app_id,
        among,
    )
    return [row["id"] for row in found]


async def insert(db: Db, *, app_id: str, name: str, description: str | None) -> Permission:
    return await one(
        db,
        Permission,
        """
        INSERT INTO permissions (app_id, id, name, resource, action, description)
        VALUES ($1, $2, $2, split_part($2, ':', 1), substr($2, strpos($2, ':') + 1), $3)
        RETURNING id, name, resource, action, description, is_system, created_at
        """,
        app_id,
        name,
        description,
    )


async def describe(db: Db, *, app_id: str, id: str, description: str | None) -> Permission | None:
    """None where it is missing or built in."""
    return await maybe(
        db,
        Permission,
        """
        UPDATE permissions SET description = $3
        WHERE app_id = $1 AND id = $2 AND NOT is_system
        RETURNING id, name, resource, action, description, is_system, created_at
        """,
        app_id,
        id,
        description,
    )


async def delete(db: Db, *, app_id: str, id: str) -> bool:
    """False where it is missing or built in."""
    return (
        await run(
            db,
            "DELETE FROM permissions WHERE app_id = $1 AND id = $2 AND NOT is_system",
            app_id,
            id,
        )
        == 1
    )
