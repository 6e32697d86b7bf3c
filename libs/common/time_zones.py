"""Time zones by their IANA names, and the days in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

MACHINE: Final = frozenset({"localtime", "Factory"})
"""Names that mean another zone on each machine."""

REGIONS: Final = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
"""Beginnings of the names that one offers. Others are old names and fixed offsets."""


@cache
def zone_names() -> frozenset[str]:
    """Returns the names of all zones in the database of this machine."""
    return frozenset(available_timezones()) - MACHINE


@cache
def places() -> tuple[str, ...]:
    """Returns the names that one offers to people, in order."""
    return ("UTC", *sorted(name for name in zone_names() if name.startswith(REGIONS)))


def zone_of_name(name: str) -> tzinfo:
    """Returns the zone, or UTC if the database has none of this name."""
    return find_zone(name) or UTC


def find_zone(name: str) -> tzinfo | None:
    """Returns the zone, or None if the database has none of this name."""
    try:
        return ZoneInfo(name) if name in zone_names() else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def start_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment of a day in the zone, in UTC. A day has 23 or 25 hours when the clocks
    change."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment after a day in the zone, in UTC."""
    return start_of(day + timedelta(days=1), zone)
