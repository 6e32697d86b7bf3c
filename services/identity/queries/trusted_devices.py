"""Statements on trusted_devices: browsers that skip the second factor for some days."""

from __future__ import annotations

from common.contracts.second_factors import RememberedDevice
from common.db import Db, many, run


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    user_id: str,
    token_hash: str,
    name: str | None,
    days: int,
) -> None:
    """Remembers a device, with the factors that the user has now."""
    await run(
        db,
        """
        INSERT INTO trusted_devices (app_id, id, user_id, token_hash, name, factor_epoch, expires_at)
        SELECT u.app_id, $2, u.id, $4, $5, u.factor_epoch, now() + make_interval(days => $6)
        FROM users u WHERE u.app_id = $1 AND u.id = $3
        """,
        app_id,
        id,
        user_id,
        token_hash,
        name,
        days,
    )


async def list_of_user(db: Db, *, app_id: str, user_id: str) -> list[RememberedDevice]:
    """Returns the devices that still skip the second factor, the newest first."""
    return await many(
        db,
        RememberedDevice,
        """
        SELECT d.id, d.name, d.created_at, d.last_used_at, d.expires_at
        FROM trusted_devices d
        JOIN users u ON u.app_id = d.app_id AND u.id = d.user_id
        WHERE d.app_id = $1 AND d.user_id = $2 AND d.revoked_at IS NULL AND d.expires_at > now()
          AND d.factor_epoch = u.factor_epoch
        ORDER BY d.created_at DESC LIMIT 100
        """,
        app_id,
        user_id,
    )


async def touch(db: Db, *, app_id: str, id: str) -> None:
    """Records that a sign-in skipped the second factor."""
    await run(
        db,
        "UPDATE trusted_devices SET last_used_at = now() WHERE app_id = $1 AND id = $2",
        app_id,
        id,
    )


async def revoke(db: Db, *, app_id: str, id: str, user_id: str) -> bool:
    """Ends a device of the user. Returns False if there is none."""
    return (
        await run(
            db,
            """
            UPDATE trusted_devices SET revoked_at = now()
            WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
              AND user_id IS NOT DISTINCT FROM $3 -- a bare `=` would be a second way to the row
            """,
            app_id,
            id,
            user_id,
        )
        == 1
    )


async def revoke_all(db: Db, *, app_id: str, user_id: str) -> int:
    """Ends all devices of a user."""
    return await run(
        db,
        """
        UPDATE trusted_devices SET revoked_at = now()
        WHERE app_id = $1 AND user_id = $2 AND revoked_at IS NULL
        """,
        app_id,
        user_id,
    )
