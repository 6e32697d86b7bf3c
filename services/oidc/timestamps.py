"""Points in time, between what JSON and JWTs hold and what Postgres wants."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def moment(text: str | None) -> datetime | None:
    """From a cursor's text."""
    return None if text is None else datetime.fromisoformat(text)


def seconds(at: datetime) -> int:
    """NumericDate (RFC 7519 section 2), rounded down."""
    return int(at.timestamp())


def now() -> int:
    return int(time.time())


def at(number: float) -> datetime:
    return datetime.fromtimestamp(number, UTC)
