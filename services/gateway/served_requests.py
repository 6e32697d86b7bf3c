"""Counts the answers of this gateway since its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

SERVER_ERROR: Final = int(HTTPStatus.INTERNAL_SERVER_ERROR)
ENDLESS: Final = 60.0
"""Seconds. A longer answer was a stream, whose time says nothing about the others."""


@dataclass
class ServedRequests:
    """Counts answers, faults of ours (5xx) and seconds."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    requests: int = 0
    errors: int = 0
    timed: int = 0
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Counts one answer."""
        self.requests += 1
        self.errors += status >= SERVER_ERROR
        if seconds < ENDLESS:
            self.timed += 1
            self.seconds += seconds

    @property
    def mean_ms(self) -> float | None:
        """The mean milliseconds of an answer, without streams. None before the first one."""
        return round(self.seconds / self.timed * 1000, 2) if self.timed else None
