"""An event loop whose clock moves when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready and never waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.wakes = 0
        """How often a timer woke the loop: it would have slept until then."""
        self._timers: list[asyncio.TimerHandle] = []

    def call_at(  # type: ignore[override]  # passes everything on
        self, when: float, *rest: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Keeps the timer."""
        self._timers.append(super().call_at(when, *rest, **options))
        return self._timers[-1]

    def pending_timers(self) -> list[float]:
        """Returns for when the timers are set that have not fired yet."""
        self._timers = [
            timer for timer in self._timers if not timer.cancelled() and timer.when() > self.now
        ]
        return [timer.when() for timer in self._timers]

    def time(self) -> float:
        """Returns the time that the test has reached."""
        return self.now

    def turn(self, times: int = 1) -> None:
        """Runs what is ready, so many times."""
        for _ in range(times):
            self.call_soon(self.stop)
            self.run_forever()

    def settle(self) -> None:
        """Runs until nothing is ready."""
        self.turn(8)

    def advance(self, seconds: float) -> None:
        """Moves the clock, timer by timer, and runs what became ready."""
        self.settle()
        ends = self.now + seconds
        while True:
            due = self.pending_timers()
            if not due or min(due) > ends:
                break
            self.now = min(due)
            self.wakes += 1
            self.settle()
        self.now = ends
        self.settle()

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work that needs no time, and returns its result."""
        task = self.create_task(work)
        self.settle()
        return task.result()
