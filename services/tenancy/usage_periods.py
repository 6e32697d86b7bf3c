"""The hours and days of a window, in an application's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from common.contracts.usage import UsageWindow
from common.time_zones import start_of
from tenancy.queries.active_users import Unit

DAYS: Final[dict[UsageWindow, int]] = {"7d": 7, "30d": 30, "90d": 90}
HOURS: Final = 24
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class WindowPeriods:
    """The hours or days of a window, the last of which is not over, and where the window before it
    starts. `keys` are the periods as active_user_counts names them: the same, or the dates."""

    unit: Unit
    starts: list[datetime]
    end: datetime
    previous_start: datetime
    keys: list[datetime]
    previous_key: datetime


def periods_of(window: UsageWindow, now: datetime, zone: tzinfo) -> WindowPeriods:
    """Returns the periods of a window that ends with the current hour or day."""
    if window == "24h":
        first = hour_of(now) - (HOURS - 1) * HOUR
        starts = [first + n * HOUR for n in range(HOURS)]
        before = first - HOURS * HOUR
        return WindowPeriods("hour", starts, starts[-1] + HOUR, before, starts, before)
    count = DAYS[window]
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=count - 1 - n) for n in range(count)]
    before_days = days[0] - timedelta(days=count)
    return WindowPeriods(
        "day",
        [start_of(day, zone) for day in days],
        start_of(today + timedelta(days=1), zone),
        start_of(before_days, zone),
        [_key(day) for day in days],
        _key(before_days),
    )


def hour_of(moment: datetime) -> datetime:
    """Returns the start of the hour (UTC)."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def quarter_of(moment: datetime) -> datetime:
    """Returns the start of the quarter of an hour. Days of every zone begin at one."""
    return hour_of(moment) + timedelta(minutes=moment.astimezone(UTC).minute // 15 * 15)


def day_of(moment: datetime, zone: tzinfo) -> datetime:
    """Returns the date in the zone, as midnight UTC."""
    return _key(moment.astimezone(zone).date())


def _key(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
