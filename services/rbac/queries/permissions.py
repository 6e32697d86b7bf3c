"""Reads and writes permissions: the built-in ones and the application's own."""

from __future__ import annotations

from typing import Final

from common.contracts.permissions import Permission
from common.db import Db, many, maybe, one, run

COLUMNS: Final = "id, name, resource, action, description, is_system, created_at"
BY_ID: Final = f"SELECT {COLUMNS} FROM permissions WHERE app_id = $1 AND id = $2"
LOCK: Final = f"SELECT {COLUMNS} FROM permissions WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE"
PAGE: Final = f"""
    SELECT {COLUMNS} FROM permissions
    WHERE app_id = $1 AND ($2::text IS NULL OR id > $2)
    ORDER BY id LIMIT $3
    """
INSERT: Final = f"""
    INSERT INTO permissions (app_id, id, name, resource, action, description)
    VALUES ($1, $2, $2, split_part($2, ':', 1), substr($2, strpos($2, ':') + 1), $3)
    RETURNING {COLUMNS}
    """
UPDATE: Final = f"""
    UPDATE permissions SET description = $3
    WHERE app_id = $1 AND id = $2 AND NOT is_system
    RETURNING {COLUMNS}
    """


async def by_id(db: Db, *, app_id: str, id: str) -> Permission | None:
    """Returns the permission, or None."""
    return await maybe(db, Permission, BY_ID, app_id, id)


async def lock(db: Db, *, app_id: str, id: str) -> Permission | None:
    """Returns the permission as `by_id` does. Nobody else changes it until the transaction ends."""
    return await maybe(db, Permission, LOCK, app_id, id)


async def page(db: Db, *, app_id: str, after: str | None, limit: int) -> list[Permission]:
    """Returns the permissions after that id, by id."""
    return await many(db, Permission, PAGE, app_id, after, limit)


async def built_in(db: Db, *, app_id: str, ids: list[str]) -> list[str]:
    """Returns those of the ids that are built-in permissions."""
    rows = await db.fetch(
        """
        SELECT id FROM permissions
        WHERE app_id = $1 AND id = ANY($2::text[]) AND is_system ORDER BY id
        """,
        app_id,
        ids,
    )
    return [row["id"] for row in rows]


async def insert(db: Db, *, app_id: str, name: str, description: str | None) -> Permission:
    """Adds a permission; its name is its id. Raises UniqueViolationError if the name is in use."""
    return await one(db, Permission, INSERT, app_id, name, description)


async def update(db: Db, *, app_id: str, id: str, description: str | None) -> Permission | None:
    """Sets the description. Returns None if the permission is missing or built in."""
    return await maybe(db, Permission, UPDATE, app_id, id, description)


async def delete(db: Db, *, app_id: str, id: str) -> bool:
    """Deletes the permission. Returns False if it is missing or built in."""
    return (
        await run(
            db,
            "DELETE FROM permissions WHERE app_id = $1 AND id = $2 AND NOT is_system",
            app_id,
            id,
        )
        == 1
    )
