"""Reads audit_outbox, which the relays of all services empty."""

from __future__ import annotations

from common.db import Db, value


async def has_events(db: Db, *, app_id: str) -> bool:
    """Returns whether events of the application are still to be sent."""
    return bool(
        await value(
            db,
            """
            -- any-tenant: as aero2_upkeep, which alone may look into the queue
            SELECT EXISTS (SELECT FROM audit_outbox WHERE app_id = $1)
            """,
            app_id,
        )
    )
