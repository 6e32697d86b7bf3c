"""Reads and writes audit_counts: how many events of each type were sealed in an hour or a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common import keyset
from common.contracts.audit_log import EventCount
from common.db import Db, many, run


@dataclass(frozen=True)
class Count:
    """Events of one type since the beginning of an hour or day."""

    since: datetime
    event_type: str
    count: int


async def add(db: Db, *, app_id: str, counts: list[Count], daily: bool = False) -> None:
    """Adds to the counts of hours, or with `daily` to those of days.

    Call it in the transaction that extends the chain, so that each event counts once.
    """
    await run(
        db,
        """
        INSERT INTO audit_counts (app_id, since, event_type, count, daily)
        SELECT $1, new.since, new.event_type, new.count, $5
        FROM unnest($2::timestamptz[], $3::text[], $4::bigint[]) AS new (since, event_type, count)
        ON CONFLICT (app_id, since, event_type)
        DO UPDATE SET count = audit_counts.count + excluded.count
        """,
        app_id,
        [each.since for each in counts],
        [each.event_type for each in counts],
        [each.count for each in counts],
        daily,
    )


async def delete_hours(db: Db, *, app_id: str, before: datetime) -> list[Count]:
    """Deletes the hours before that moment. Returns them."""
    return await many(
        db,
        Count,
        """
        DELETE FROM audit_counts WHERE app_id = $1 AND since < $2 AND NOT daily
        RETURNING since, event_type, count
        """,
        app_id,
        before,
    )


async def rolled_up(
    db: Db, *, app_id: str, since: datetime | None, until: datetime | None
) -> list[EventCount]:
    """Returns the counts of the whole hours and days in [since, until)."""
    return await many(
        db,
        EventCount,
        """
        -- whole: adds up the hours and days of a period
        SELECT event_type, sum(count)::bigint AS count FROM audit_counts
        WHERE app_id = $1 AND since >= $2::timestamptz AND since < $3::timestamptz
        GROUP BY event_type
        """,
        app_id,
        since or keyset.OLDEST,
        until or keyset.NEWEST,
    )


async def count_log(db: Db, *, app_id: str, since: datetime, until: datetime) -> list[EventCount]:
    """Returns the counts in [since, until), from the log itself.

    Use it for a part of an hour or of an old day, and for events that may not be sealed yet.
    """
    return await many(
        db,
        EventCount,
        """
        -- whole: counts the events of about an hour, or less than a day
        SELECT l.event_type, count(*) AS count FROM audit_logs l
        WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz AND l.created_at < $3::timestamptz
        GROUP BY l.event_type
        """,
        app_id,
        since,
        until,
    )
