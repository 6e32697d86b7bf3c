"""Converts times between the text of cursors, the numbers of JWTs and datetimes."""

from __future__ import annotations

from datetime import UTC, datetime

from common import clock


def from_text(text: str | None) -> datetime | None:
    """Reads an ISO 8601 time, as cursors have it."""
    return None if text is None else datetime.fromisoformat(text)


def to_seconds(moment: datetime) -> int:
    """Returns a NumericDate (RFC 7519 section 2), rounded down."""
    return int(moment.timestamp())


def now() -> int:
    """Returns the present time as a NumericDate."""
    return int(clock.now())


def from_seconds(number: float) -> datetime:
    """Reads a NumericDate."""
    return datetime.fromtimestamp(number, UTC)
