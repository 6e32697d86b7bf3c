"""Roles and what they hold."""

from __future__ import annotations

from common.contracts.rbac import Role
from common.db import Db, maybe, run


async def by_id(db: Db, *, app_id: str, id: str) -> Role | None:
    return await maybe(
        db,
        Role,
        """
        SELECT r.id, r.name, r.description, r.is_system, r.created_at, r.updated_at,
            ARRAY(
                SELECT p.name
                FROM role_permissions rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM roles r WHERE r.app_id = $1 AND r.id = $2
        """,
        app_id,
        id,
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Until the transaction ends nobody else changes the role or who has it. False if missing."""
    return (
        await run(db, "SELECT FROM roles WHERE app_id = $1 AND id = $2 FOR UPDATE", app_id, id) == 1
    )
