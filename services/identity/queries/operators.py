"""Statements on who is an operator. rbac owns the roles; the service reads them here so that nobody
takes the last one away."""

from __future__ import annotations

from common.db import Db, run, value


async def lock(db: Db, *, key: int) -> None:
    """Waits until nobody else changes who is an operator. The lock ends with the transaction."""
    await run(
        db,
        """
        -- any-tenant: the lock is the deployment's
        SELECT pg_advisory_xact_lock($1)
        """,
        key,
    )


async def is_last(db: Db, *, app_id: str, role_id: str, user_id: str) -> bool:
    """Returns whether this user is the only enabled one with the role."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM user_roles r JOIN users u ON u.app_id = $1 AND u.id = r.user_id
                WHERE r.app_id = $1 AND r.role_id = $2 AND r.user_id = $3 AND r.org_id IS NULL
                  AND NOT u.disabled
            ) AND NOT EXISTS (
                SELECT FROM user_roles r JOIN users u ON u.app_id = $1 AND u.id = r.user_id
                WHERE r.app_id = $1 AND r.role_id = $2 AND r.user_id <> $3 AND r.org_id IS NULL
                  AND NOT u.disabled
            )
            """,
            app_id,
            role_id,
            user_id,
        )
    )
