"""Work that is done when somebody wakes the worker, and from time to time anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from common import logs
from common.context import traced
from common.homes import MAIN
from common.periodic import FAULTS

log = logs.get(__name__)


@dataclass
class WakeableWorker:
    """Runs work repeatedly: as soon as it is woken, otherwise every `idle` seconds."""

    idle: float = 5.0
    """Seconds between rounds without a wake-up: another process may have left work behind."""
    _members: dict[str, WakeableWorker] = field(default_factory=dict, compare=False, repr=False)
    """By cluster. Each of them knows them all."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _rounds: int = 0
    _running: bool = False
    _done: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self._members.setdefault(MAIN, self)

    def at(self, home: str) -> WakeableWorker:
        """Returns the worker for the applications of one cluster, the same whichever of them is asked."""
        if home not in self._members:
            self._members[home] = WakeableWorker(self.idle, self._members)
        return self._members[home]

    def wake(self) -> None:
        """Starts a round soon."""
        self._woken.set()

    async def hurry(self, within: float) -> bool:
        """Wakes the worker and waits until a whole round has begun and ended, `within` seconds at
        most. Returns False if that took longer."""
        wanted = self._rounds + (2 if self._running else 1)
        self.wake()
        try:
            async with asyncio.timeout(within), self._done:
                await self._done.wait_for(lambda: self._rounds >= wanted)
        except TimeoutError:
            return False
        return True

    async def run(self, work: Callable[[], Awaitable[bool]], *, name: str) -> None:
        """Runs rounds until cancelled. `work` returns whether there is more to do at once."""
        while True:
            self._woken.clear()
            self._running = True
            with traced(name):
                try:
                    more = await work()
                except FAULTS as error:
                    log.warning("round failed", work=name, error=type(error).__name__)
                    more = False
            self._running = False
            async with self._done:
                self._rounds += 1
                self._done.notify_all()
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self.idle):
                await self._woken.wait()
        except TimeoutError:
            return
