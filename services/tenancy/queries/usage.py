"""Reads and writes usage_counts: sign-ins, sign-ups and failures in each quarter of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class QuarterCount:
    """The sealed events of a quarter of an hour, by figure."""

    since: datetime
    sign_ins: int
    sign_ups: int
    failures: int


@dataclass(frozen=True)
class PeriodCount:
    """The sums of a period. `place` counts the periods from 1."""

    place: int
    sign_ins: int
    sign_ups: int
    failures: int


@dataclass(frozen=True)
class ApplicationAge:
    """The settings of an application and its creation, which decide its periods."""

    settings: dict[str, Any]
    created_at: datetime


async def application(db: Db, *, app_id: str) -> ApplicationAge | None:
    """Returns the settings of the application and when it was created, or None."""
    return await maybe(
        db,
        ApplicationAge,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT settings, created_at FROM applications WHERE id = $1
        """,
        app_id,
    )


async def add(db: Db, *, app_id: str, counts: list[QuarterCount]) -> None:
    """Adds to the counts. Call it in the transaction that extends the chain, so that each event
    counts once."""
    await run(
        db,
        """
        INSERT INTO usage_counts (app_id, since, sign_ins, sign_ups, failures)
        SELECT $1, new.since, new.sign_ins, new.sign_ups, new.failures
        FROM unnest($2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS new (since, sign_ins, sign_ups, failures)
        ON CONFLICT (app_id, since) DO UPDATE SET
            sign_ins = usage_counts.sign_ins + excluded.sign_ins,
            sign_ups = usage_counts.sign_ups + excluded.sign_ups,
            failures = usage_counts.failures + excluded.failures
        """,
        app_id,
        [each.since for each in counts],
        [each.sign_ins for each in counts],
        [each.sign_ups for each in counts],
        [each.failures for each in counts],
    )


async def by_period(
    db: Db, *, app_id: str, starts: list[datetime], end: datetime
) -> list[PeriodCount]:
    """Returns the sums of the periods that have any. Each ends where the next one starts."""
    return await many(
        db,
        PeriodCount,
        """
        -- whole: adds up at most 96 quarters for each day of a window and the one before
        SELECT width_bucket(since, $2::timestamptz[]) AS place, sum(sign_ins)::bigint AS sign_ins,
               sum(sign_ups)::bigint AS sign_ups, sum(failures)::bigint AS failures
        FROM usage_counts
        WHERE app_id = $1 AND since >= $3::timestamptz AND since < $4::timestamptz
        GROUP BY place
        """,
        app_id,
        starts,
        starts[0],
        end,
    )


async def delete_before(db: Db, *, app_id: str, before: datetime) -> int:
    """Deletes the counts of old quarters. Returns how many were deleted."""
    return await run(
        db,
        "DELETE FROM usage_counts WHERE app_id = $1 AND since < $2",
        app_id,
        before,
    )
