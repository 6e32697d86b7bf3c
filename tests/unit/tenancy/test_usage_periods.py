"""Windows are whole hours or days of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from common.contracts.usage import UsageWindow
from tenancy.usage_periods import day_of, periods_of, quarter_of

BERLIN = ZoneInfo("Europe/Berlin")


def lengths(window: UsageWindow, now: datetime, zone: str) -> list[float]:
    """Returns the hours of each period."""
    periods = periods_of(window, now, ZoneInfo(zone))
    bounds = [*periods.starts, periods.end]
    return [(end - start) / timedelta(hours=1) for start, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("now", "zone", "hours"),
    [
        (datetime(2026, 3, 30, 12, tzinfo=UTC), "Europe/Berlin", [24, 24, 24, 24, 24, 23, 24]),
        (datetime(2026, 10, 26, 12, tzinfo=UTC), "Europe/Berlin", [24, 24, 24, 24, 24, 25, 24]),
        (datetime(2026, 4, 6, 12, tzinfo=UTC), "Australia/Lord_Howe", [24] * 5 + [24.5, 24]),
        (datetime(2026, 9, 7, 12, tzinfo=UTC), "America/Santiago", [24] * 5 + [23, 24]),
        (datetime(2026, 1, 7, 12, tzinfo=UTC), "Asia/Kathmandu", [24] * 7),
    ],
)
def test_a_day_is_one_period_when_the_clocks_change(
    now: datetime, zone: str, hours: list[float]
) -> None:
    """Days of 23, 24½ and 25 hours are one period each, also where midnight does not exist."""
    assert lengths("7d", now, zone) == hours


@pytest.mark.parametrize(("window", "count"), [("24h", 24), ("7d", 7), ("30d", 30), ("90d", 90)])
def test_the_last_period_is_the_current_one(window: UsageWindow, count: int) -> None:
    """A window ends with the hour or day that is not over yet. The one before it has the same number of
    days."""
    now = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # in Berlin, the next day has begun
    periods = periods_of(window, now, BERLIN)

    assert len(periods.starts) == len(periods.keys) == count
    assert periods.starts[-1] <= now < periods.end
    assert periods.previous_key == periods.keys[0] - count * (periods.keys[1] - periods.keys[0])
    if window != "24h":
        assert periods.keys[-1] == datetime(2026, 12, 1, tzinfo=UTC)


def test_every_day_begins_with_a_quarter() -> None:
    """The quarters of usage_counts can be added up to the days of each zone."""
    for name in ("Asia/Kathmandu", "Asia/Kolkata", "Australia/Eucla", "Pacific/Chatham"):
        periods = periods_of("90d", datetime(2026, 5, 1, tzinfo=UTC), ZoneInfo(name))
        assert [quarter_of(start) for start in periods.starts] == periods.starts, name


def test_an_event_belongs_to_the_date_of_the_zone() -> None:
    """A date is named by midnight UTC, in whatever zone it was."""
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)

    assert day_of(moment, BERLIN) == datetime(2026, 7, 2, tzinfo=UTC)
    assert day_of(moment, UTC) == datetime(2026, 7, 1, tzinfo=UTC)
