"""Reads and writes user_roles: which user has which role."""

from __future__ import annotations

from common.contracts.assignments import AssignedRole
from common.db import Db, many, run, value


async def of_user(db: Db, *, app_id: str, user_id: str) -> list[AssignedRole]:
    """Returns the user's roles with their permissions, by role and organization."""
    return await many(
        db,
        AssignedRole,
        """
        SELECT r.id, r.name, r.description, ur.org_id, ur.granted_by, ur.granted_at,
            ARRAY(
                SELECT p.name
                FROM role_permissions rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM user_roles ur
        JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id
        WHERE ur.app_id = $1 AND ur.user_id = $2
        ORDER BY r.id, ur.org_id NULLS FIRST
        """,
        app_id,
        user_id,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    user_id: str,
    role_id: str,
    org_id: str | None,
    granted_by: str,
    only_first: bool = False,
) -> bool:
    """Gives the user a role, in the application or in one organization.

    Returns False if they have it already, or, with `only_first`, if they have any role of the
    application. Raises ForeignKeyViolationError for an unknown user, role or member.
    """
    return (
        await run(
            db,
            """
        INSERT INTO user_roles (app_id, user_id, role_id, org_id, granted_by)
        SELECT $1, $2, $3, $4, $5
        WHERE NOT ($6 AND EXISTS (
            SELECT FROM user_roles
            WHERE app_id = $1 AND user_id = $2 AND org_id IS NULL
        ))
        ON CONFLICT DO NOTHING
        """,
            app_id,
            user_id,
            role_id,
            org_id,
            granted_by,
            only_first,
        )
        == 1
    )


async def delete(db: Db, *, app_id: str, user_id: str, role_id: str, org_id: str | None) -> bool:
    """Takes the role from the user. Returns False if they do not have it."""
    return (
        await run(
            db,
            """
        DELETE FROM user_roles
        WHERE app_id = $1 AND user_id = $2 AND role_id = $3 AND org_id IS NOT DISTINCT FROM $4
        """,
            app_id,
            user_id,
            role_id,
            org_id,
        )
        == 1
    )


async def lock_operators(db: Db, *, key: int) -> None:
    """Waits until nobody else changes who is an operator. The lock ends with the transaction."""
    await run(
        db,
        """
        -- any-tenant: the lock is the deployment's
        SELECT pg_advisory_xact_lock($1)
        """,
        key,
    )


async def has_holder(db: Db, *, app_id: str, role_id: str) -> bool:
    """Returns whether any enabled user has the role in the whole application."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM user_roles r JOIN users u ON u.app_id = $1 AND u.id = r.user_id
                WHERE r.app_id = $1 AND r.role_id = $2 AND r.org_id IS NULL AND NOT u.disabled
            )
            """,
            app_id,
            role_id,
        )
    )
