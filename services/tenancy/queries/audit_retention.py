"""Deletes events that are older than their application wants them kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, run


@dataclass(frozen=True)
class Retention:
    """For how many days an application keeps its events."""

    app_id: str
    days: int


async def retentions(db: Db, *, home: str) -> list[Retention]:
    """Returns the retention of each application of a cluster that has one."""
    return await many(
        db,
        Retention,
        """
        -- any-tenant: the sweep looks for every application that keeps its log for a time only
        SELECT id AS app_id, (settings ->> 'audit_retention_days')::integer AS days
        FROM applications
        WHERE jsonb_typeof(settings -> 'audit_retention_days') = 'number'
          AND home = $1 AND home_state = 'settled'
        """,
        home,
    )


async def delete_orphans(db: Db) -> int:
    """Deletes events that were written while their application was deleted.

    Returns how many were deleted.
    """
    return await run(
        db,
        """
        -- any-tenant: steps from application to application, so it reads one row of each
        WITH RECURSIVE named AS (
            (SELECT app_id FROM audit_logs ORDER BY app_id LIMIT 1)
            UNION ALL
            SELECT (SELECT l.app_id FROM audit_logs l WHERE l.app_id > n.app_id
                    ORDER BY l.app_id LIMIT 1)
            FROM named n WHERE n.app_id IS NOT NULL
        )
        DELETE FROM audit_logs WHERE app_id IN (
            SELECT app_id FROM named n WHERE n.app_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM applications a WHERE a.id = n.app_id))
        """,
    )


async def delete_oldest(db: Db, *, app_id: str, before: datetime, limit: int) -> int:
    """Deletes the oldest events of the chain, up to the first one that is younger than `before`.

    The rest of the chain has no holes. Returns how many were deleted.
    """
    return await run(
        db,
        """
        -- by-upkeep: no service may delete what it wrote into the log
        WITH kept AS (
            SELECT c.seq FROM audit_logs l
            JOIN audit_chain c ON c.app_id = $1 AND c.event_id = l.id
            WHERE l.app_id = $1 AND l.created_at >= $2 ORDER BY l.created_at, l.id LIMIT 1000
        ), old AS (
            SELECT l.id FROM audit_logs l
            JOIN audit_chain c ON c.app_id = $1 AND c.event_id = l.id
            WHERE l.app_id = $1 AND l.created_at < $2
              AND c.seq < coalesce((SELECT min(seq) FROM kept), 9223372036854775807)
            ORDER BY l.created_at, l.id LIMIT $3
        )
        DELETE FROM audit_logs WHERE app_id = $1 AND id IN (SELECT id FROM old)
        """,
        app_id,
        before,
        limit,
    )
