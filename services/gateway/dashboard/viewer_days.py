"""Days in the time zone of the person who looks at a page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo


def start_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment of a day in the zone, in UTC. A day has 23 or 25 hours when the clocks
    change."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment after a day in the zone, in UTC."""
    return start_of(day + timedelta(days=1), zone)
