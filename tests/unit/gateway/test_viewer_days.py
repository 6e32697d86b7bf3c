"""Days in the zone of the person who looks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from common.time_zones import end_of, start_of
from gateway.pages.viewer_zone import zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def with_cookie(value: str | None) -> Any:
    return cast(Any, SimpleNamespace(cookie=lambda name: value if name == "aero2_zone" else None))


@pytest.mark.parametrize("value", ["Asia/Kolkata", "Asia%2FKolkata"])
def test_the_zone_of_the_browser(value: str) -> None:
    """The cookie names the zone, encoded or not."""
    assert zone_of(with_cookie(value)) == ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize("profile", ["Asia/Tokyo", "UTC"])
def test_the_profile_goes_first(profile: str) -> None:
    """A person who chose a zone in their profile reads times in it on every device."""
    assert zone_of(with_cookie("Asia/Kolkata"), profile) == ZoneInfo(profile)


def test_a_profile_without_a_real_zone() -> None:
    """The browser's zone stands in for one that does not exist."""
    assert zone_of(with_cookie("Asia/Kolkata"), "Mars/Olympus") == ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    "value",
    [None, "", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "A" * 300, "posixrules\0"],
)
def test_any_other_text_is_utc(value: str | None) -> None:
    """A zone that does not exist, and a path, count as UTC."""
    assert zone_of(with_cookie(value)) is UTC


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 3, 28), 24),
        (date(2026, 3, 29), 23),
        (date(2026, 10, 25), 25),
    ],
)
def test_a_day_is_whole(day: date, hours: int) -> None:
    """A day begins and ends at midnight in the zone, also when the clocks change."""
    assert end_of(day, BERLIN) - start_of(day, BERLIN) == timedelta(hours=hours)


def test_a_day_begins_at_the_midnight_of_the_zone() -> None:
    """Midnight in Berlin is 23:00 UTC of the day before, in winter."""
    assert start_of(date(2026, 1, 2), BERLIN) == datetime(2026, 1, 1, 23, tzinfo=UTC)
