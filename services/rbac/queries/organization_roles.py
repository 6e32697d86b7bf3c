"""Roles of members of organizations and what they hold. `roles` has the same functions."""

from __future__ import annotations

from common.contracts.roles import Role
from common.db import Db, many, maybe, run


async def by_id(db: Db, *, app_id: str, id: str) -> Role | None:
    return await maybe(
        db,
        Role,
        """
        SELECT r.id, r.name, r.description, r.is_system, r.created_at, r.updated_at,
            ARRAY(
                SELECT p.name
                FROM organization_role_permissions rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM organization_roles r WHERE r.app_id = $1 AND r.id = $2
        """,
        app_id,
        id,
    )


async def page(db: Db, *, app_id: str, after: str | None, limit: int) -> list[Role]:
    return await many(
        db,
        Role,
        """
        SELECT r.id, r.name, r.description, r.is_system, r.created_at, r.updated_at,
            ARRAY(
                SELECT p.name
                FROM organization_role_permissions rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM organization_roles r WHERE r.app_id = $1 AND ($2::text IS NULL OR r.id > $2)
        ORDER BY r.id LIMIT $3
        """,
        app_id,
        after,
        limit,
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Until the transaction ends nobody else changes the role or who has it. False if missing."""
    return (
        await run(
            db,
            "SELECT FROM organization_roles WHERE app_id = $1 AND id = $2 FOR UPDATE",
            app_id,
            id,
        )
        == 1
    )


async def insert(db: Db, *, app_id: str, id: str, name: str, description: str | None) -> None:
    await run(
        db,
        "INSERT INTO organization_roles (app_id, id, name, description) VALUES ($1, $2, $3, $4)",
        app_id,
        id,
        name,
        description,
    )


async def update(db: Db, *, app_id: str, id: str, name: str, description: str | None) -> None:
    await run(
        db,
        """
        UPDATE organization_roles SET name = $3, description = $4, updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        name,
        description,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    await run(db, "DELETE FROM organization_roles WHERE app_id = $1 AND id = $2", app_id, id)


async def add(db: Db, *, app_id: str, id: str, permissions: list[str]) -> None:
    await run(
        db,
        """
        INSERT INTO organization_role_permissions (app_id, role_id, permission_id)
        SELECT $1, $2, given FROM unnest($3::text[]) AS given
        ON CONFLICT DO NOTHING
        """,
        app_id,
        id,
        permissions,
    )


async def remove(db: Db, *, app_id: str, id: str, permissions: list[str]) -> None:
    await run(
        db,
        """
        DELETE FROM organization_role_permissions
        WHERE app_id = $1 AND role_id = $2 AND permission_id = ANY($3::text[])
        """,
        app_id,
        id,
        permissions,
    )
