"""The time of day that this process works with: that of the database, once it is known.

Codes, sessions and grants end when the database says so. Signed tokens end when a process says so, and both
must mean the same time. So the clock of the machine counts until the database has answered, and then time goes
on by the monotonic clock: a machine whose time is wrong, or is set, changes nothing.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_started: float | None = None
"""The time of day when the monotonic clock was 0, or None before the database has answered."""


def correct(ahead: float) -> None:
    """Says that the clock of this machine is `ahead` of the database's, in seconds."""
    global _started
    _started = time.time() - ahead - time.monotonic()


def now() -> float:
    """Returns the time in epoch seconds."""
    return time.time() if _started is None else _started + time.monotonic()


def utc_now() -> datetime:
    """Returns the time."""
    return datetime.fromtimestamp(now(), UTC)
