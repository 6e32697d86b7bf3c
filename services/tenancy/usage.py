"""Counts an application's sign-ins, sign-ups, active users and failures over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from common import clock
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.applications import ApplicationNotFound
from common.contracts.usage import (
    CountUsage,
    UsageCounts,
    UsageFigures,
    UsagePeriod,
    UsageWindow,
)
from common.time_zones import zone_of_name
from tenancy.deps import Deps
from tenancy.queries import active_users, usage
from tenancy.queries.active_users import PeriodUsers, Unit
from tenancy.queries.usage import PeriodCount
from tenancy.usage_periods import WindowPeriods, periods_of

LENGTHS: Final[dict[Unit, timedelta]] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
PREVIOUS: Final = 1
"""The place of the window before this one, in the counts. The periods follow."""


async def count(deps: Deps, ctx: Context, request: CountUsage) -> UsageCounts:
    """Returns the figures of a window that ends now. They have every event that is sealed, about a
    second after it happened. Raises ApplicationNotFound."""
    return await counts_at(deps, ctx, request.window, clock.utc_now())


async def counts_at(deps: Deps, ctx: Context, window: UsageWindow, now: datetime) -> UsageCounts:
    """Returns the figures of a window that ends at `now`. Raises ApplicationNotFound."""
    async with deps.db.reader(ctx) as db:
        application = await usage.application(db, app_id=ctx.app_id)
        if application is None:
            raise ApplicationNotFound
        settings = AppSettings.model_validate(application.settings)
        periods = periods_of(window, now, zone_of_name(settings.time_zone))
        starts = [periods.previous_start, *periods.starts]
        counts = await usage.by_period(db, app_id=ctx.app_id, starts=starts, end=periods.end)
        users = await active_users.by_period(
            db,
            app_id=ctx.app_id,
            unit=periods.unit,
            since=periods.previous_key,
            until=periods.keys[-1] + LENGTHS[periods.unit],
            window=periods.keys[0],
        )
    rows = _periods(periods, counts, users, now=now, created_at=application.created_at)
    before = _sum(
        [each for each in counts if each.place == PREVIOUS],
        sum(each.newcomers for each in users if each.since < periods.keys[0]),
    )
    return UsageCounts(
        window=window,
        time_zone=settings.time_zone,
        unit=periods.unit,
        periods=rows,
        total=_sum(
            [each for each in counts if each.place > PREVIOUS],
            sum(each.newcomers for each in users if each.since >= periods.keys[0]),
        ),
        previous=before if application.created_at <= periods.previous_start else None,
    )


def _periods(
    periods: WindowPeriods,
    counts: list[PeriodCount],
    users: list[PeriodUsers],
    *,
    now: datetime,
    created_at: datetime,
) -> list[UsagePeriod]:
    """Returns every period of the window. One without events has zeros, and one from before the
    application was created has no figures."""
    by_place = {each.place: each for each in counts}
    by_key = {each.since: each.users for each in users}
    ends = [*periods.starts[1:], periods.end]
    rows = []
    for n, (start, end) in enumerate(zip(periods.starts, ends, strict=True)):
        row = by_place.get(PREVIOUS + 1 + n)
        figures = _sum([row] if row else [], by_key.get(periods.keys[n], 0))
        rows.append(
            UsagePeriod(
                start=start,
                end=end,
                finished=end <= now,
                figures=figures if created_at < end else None,
            )
        )
    return rows


def _sum(counts: list[PeriodCount], users: int) -> UsageFigures:
    return UsageFigures(
        sign_ins=sum(each.sign_ins for each in counts),
        sign_ups=sum(each.sign_ups for each in counts),
        active_users=users,
        failures=sum(each.failures for each in counts),
    )
