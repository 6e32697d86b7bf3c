"""Reads and writes active_users, when each user was active lately, and active_user_counts, how many
users were active by the time of their activity before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.db import Db, many, run

Unit = Literal["hour", "day"]


@dataclass(frozen=True)
class ActiveUser:
    """The hours and days on which a user was active lately, in order."""

    user_id: str
    hours: list[datetime]
    days: list[datetime]


@dataclass(frozen=True)
class ActiveCount:
    """How many users were active in an hour or on a day, of those who were active before in or on
    `previous`."""

    unit: Unit
    since: datetime
    previous: datetime
    count: int


@dataclass(frozen=True)
class PeriodUsers:
    """The users of an hour or day. `newcomers` were not active in the window before it."""

    since: datetime
    users: int
    newcomers: int


async def by_ids(db: Db, *, app_id: str, ids: Sequence[str]) -> list[ActiveUser]:
    """Returns those of the users who exist."""
    return await many(
        db,
        ActiveUser,
        """
        SELECT u.id AS user_id, coalesce(a.hours, '{}') AS hours, coalesce(a.days, '{}') AS days
        FROM users u LEFT JOIN active_users a ON a.app_id = $1 AND a.user_id = u.id
        WHERE u.app_id = $1 AND u.id = ANY($2::uuid[])
        """,
        app_id,
        ids,
    )


async def put(db: Db, *, app_id: str, users: list[ActiveUser]) -> None:
    """Stores when these users were active."""
    await run(
        db,
        """
        INSERT INTO active_users (app_id, user_id, hours, days)
        SELECT $1, new.user_id, new.hours::timestamptz[], new.days::timestamptz[]
        FROM unnest($2::uuid[], $3::text[], $4::text[]) AS new (user_id, hours, days)
        ON CONFLICT (app_id, user_id)
        DO UPDATE SET hours = excluded.hours, days = excluded.days
        """,
        app_id,
        [each.user_id for each in users],
        [_array(each.hours) for each in users],
        [_array(each.days) for each in users],
    )


def _array(moments: list[datetime]) -> str:
    """Returns Postgres' text of an array: arrays in an array would all need the same length."""
    return "{" + ",".join(moment.isoformat() for moment in moments) + "}"


async def add(db: Db, *, app_id: str, counts: list[ActiveCount]) -> None:
    """Adds to the counts. A count can be negative, for a user whose previous time has changed."""
    await run(
        db,
        """
        INSERT INTO active_user_counts (app_id, unit, since, previous, count)
        SELECT $1, new.unit, new.since, new.previous, new.count
        FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
            AS new (unit, since, previous, count)
        ON CONFLICT (app_id, unit, since, previous)
        DO UPDATE SET count = active_user_counts.count + excluded.count
        """,
        app_id,
        [each.unit for each in counts],
        [each.since for each in counts],
        [each.previous for each in counts],
        [each.count for each in counts],
    )


async def by_period(
    db: Db, *, app_id: str, unit: Unit, since: datetime, until: datetime, window: datetime
) -> list[PeriodUsers]:
    """Returns the users of each hour or day in [since, until). The window starts at `window`, and the
    one before it at `since`."""
    return await many(
        db,
        PeriodUsers,
        """
        -- whole: reads at most 181 rows for each day, however many users there are
        SELECT since, sum(count)::bigint AS users,
               coalesce(sum(count) FILTER (WHERE previous < CASE WHEN since < $5::timestamptz
                   THEN $3::timestamptz ELSE $5::timestamptz END), 0)::bigint AS newcomers
        FROM active_user_counts
        WHERE app_id = $1 AND unit = $2 AND since >= $3::timestamptz AND since < $4::timestamptz
        GROUP BY since
        """,
        app_id,
        unit,
        since,
        until,
        window,
    )


async def delete_before(db: Db, *, app_id: str, unit: Unit, before: datetime) -> int:
    """Deletes the counts of old hours or days. Returns how many were deleted."""
    return await run(
        db,
        "DELETE FROM active_user_counts WHERE app_id = $1 AND unit = $2 AND since < $3",
        app_id,
        unit,
        before,
    )
