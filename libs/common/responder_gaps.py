"""The moment in which no replica of a service is there: all of them lost the same NATS server, or restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

GAP: Final = 2.0
"""Seconds for which calls wait for a replica. After that, until one answers, calls fail at once."""
POLL: Final = 0.05
"""Seconds between two attempts of a call."""
FORGET: Final = 10.0
"""Seconds without a call after which an old gap says nothing of the service."""


@dataclass
class _Gap:
    began: float
    seen: float


@dataclass
class ResponderGaps:
    """Knows for each subject whether somebody has answered before, and since when nobody does.

    The NATS server says at once that nobody subscribes to a subject. It has delivered the call to nobody, so it may
    be sent again, whether it reads or writes. A subject that nobody ever answered is not waited for.
    """

    clock: Callable[[], float] = time.monotonic
    _gaps: dict[str, _Gap | None] = field(default_factory=dict)

    def answered(self, subject: str) -> None:
        """Ends the gap of a subject, because somebody has answered."""
        self._gaps[subject] = None

    async def wait(self, subject: str, longest: float) -> bool:
        """Waits a moment before the call is sent again. Returns False if nobody is expected: then the call
        fails."""
        if subject not in self._gaps or longest <= POLL:
            return False
        now = self.clock()
        gap = self._gaps[subject]
        if gap is None or now - gap.seen > FORGET:
            gap = self._gaps[subject] = _Gap(began=now, seen=now)
        gap.seen = now
        if now - gap.began >= GAP:
            return False
        await asyncio.sleep(POLL)
        return True
