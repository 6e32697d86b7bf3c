"""Reads application_moves: what `aero2 apps move` is at work on."""

from __future__ import annotations

from common.db import Db, value


async def is_moving(db: Db, *, id: str) -> bool:
    """Returns whether the application is being moved to another cluster. Its row is locked: no move begins."""
    moving: bool = await value(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT EXISTS (SELECT FROM application_moves WHERE app_id = $1)
        """,
        id,
    )
    return moving
