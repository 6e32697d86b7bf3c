"""The application's roles and what they hold. `organization_roles` has the same functions."""

from __future__ import annotations

from common import keyset
from common.contracts.roles import Holder, Role
from common.db import Db, many, maybe, run


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


async def page(db: Db, *, app_id: str, after: str | None, limit: int) -> list[Role]:
    return await many(
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
        FROM roles r WHERE r.app_id = $1 AND ($2::text IS NULL OR r.id > $2)
        ORDER BY r.id LIMIT $3
        """,
        app_id,
        after,
        limit,
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Until the transaction ends nobody else changes the role or who has it. False if missing."""
    return (
        await run(db, "SELECT FROM roles WHERE app_id = $1 AND id = $2 FOR UPDATE", app_id, id) == 1
    )


async def insert(db: Db, *, app_id: str, id: str, name: str, description: str | None) -> None:
    await run(
        db,
        "INSERT INTO roles (app_id, id, name, description) VALUES ($1, $2, $3, $4)",
        app_id,
        id,
        name,
        description,
    )


async def update(db: Db, *, app_id: str, id: str, name: str, description: str | None) -> None:
    await run(
        db,
        """
        UPDATE roles SET name = $3, description = $4, updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        name,
        description,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    await run(db, "DELETE FROM roles WHERE app_id = $1 AND id = $2", app_id, id)


async def add(db: Db, *, app_id: str, id: str, permissions: list[str]) -> None:
    await run(
        db,
        """
        INSERT INTO role_permissions (app_id, role_id, permission_id)
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
        DELETE FROM role_permissions
        WHERE app_id = $1 AND role_id = $2 AND permission_id = ANY($3::text[])
        """,
        app_id,
        id,
        permissions,
    )


async def holders(
    db: Db, *, app_id: str, id: str, before: tuple[str | None, ...], limit: int
) -> list[Holder]:
    """`before` is granted_at, user_id and org_id (LOWEST_ID for the application) of a row."""
    granted_at, user_id, org_id = before
    return await many(
        db,
        Holder,
        """
        SELECT user_id, org_id, granted_by, granted_at FROM user_roles
        WHERE app_id = $1 AND role_id = $2
          AND (granted_at, user_id) <= ($3::timestamptz, $4::uuid)
          AND ((granted_at, user_id) < ($3, $4)
               OR coalesce(org_id, '00000000-0000-0000-0000-000000000000') < $5::uuid)
        ORDER BY granted_at DESC, user_id DESC,
            coalesce(org_id, '00000000-0000-0000-0000-000000000000') DESC
        LIMIT $6
        """,
        app_id,
        id,
        *keyset.backward(granted_at, user_id),
        org_id or keyset.HIGHEST_ID,
        limit,
    )
