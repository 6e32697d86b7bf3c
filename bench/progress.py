"""How far a run is, and when it will end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Progress:
    """Compares the time that steps took with the time that was planned for them."""

    def __init__(self, planned: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`planned` is the length of the whole run in seconds."""
        self.planned = planned
        self._clock = clock
        self._started = clock()
        self._done = 0.0

    def done(self, planned: float, text: str) -> None:
        """Says that a step has ended for which `planned` seconds were expected."""
        self._done += planned
        say(f"[{minutes(self.left())} left] {text}")

    def left(self) -> float:
        """Returns the seconds that the rest takes if it goes on like this."""
        elapsed = self._clock() - self._started
        pace = elapsed / self._done if self._done else 1.0
        return max(0.0, self.planned - self._done) * pace


def minutes(seconds: float) -> str:
    """Returns a duration for people."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def say(text: str) -> None:
    """Prints a line of progress, beside the tables on the standard output."""
    print(f"  {text}", file=sys.stderr, flush=True)
