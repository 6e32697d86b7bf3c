"""Reads and fills audit_outbox, which the relays of all services empty."""

from __future__ import annotations

from datetime import datetime

from common.audit import Entry
from common.db import Db, run, value


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


async def logged_ids(db: Db, *, app_id: str, since: datetime) -> list[str]:
    """Returns the ids of the application's logged events since then, the oldest first."""
    rows = await db.fetch(
        """
        SELECT id FROM audit_logs
        WHERE app_id = $1 AND created_at >= $2::timestamptz
        ORDER BY created_at, id
        """,
        app_id,
        since,
    )
    return [row["id"] for row in rows]


async def insert(db: Db, *, app_id: str, entries: list[Entry]) -> None:
    """Queues events in this order, for the relay of this service."""
    await run(
        db,
        """
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
        SELECT $1, new.event_id, new.event_type, new.payload
        FROM unnest($2::uuid[], $3::text[], $4::bytea[])
            WITH ORDINALITY AS new (event_id, event_type, payload, number)
        ORDER BY new.number
        """,
        app_id,
        [entry.id for entry in entries],
        [entry.event_type for entry in entries],
        [entry.payload() for entry in entries],
    )
