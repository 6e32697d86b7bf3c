"""What is worked on at once, and whose turn it is: a fair share for each application."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from common import metrics
from common.problems import Busy

if TYPE_CHECKING:
    from gateway.http.request import GatewayRequest

LONGEST_WAIT: Final = 5.0
"""Seconds: who has waited longer for his turn has most likely gone."""
HASHED: Final = ("/login", "/signup", "/reset", "/invitation", "/account/password", "/api/auth/")
"""Posted there, a password may be hashed."""


@dataclass
class FairQueue:
    """While fewer than `at_once` are worked on, nobody waits. From then on an application that has
    its share of them waits in a queue of its own, and the queues are served in turn, so one that is
    flooded cannot starve the others; a full queue answers Busy at once.
    """

    at_once: int = 32
    per_app: int = 256
    _working: dict[str, int] = field(default_factory=dict)
    _total: int = 0
    _queues: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)

    def enter(self, app_id: str) -> bool:
        """True where this one is worked on from now on; else `turn` is to be awaited."""
        mine = self._working.get(app_id, 0)
        if self._total >= self.at_once > 0 and mine >= self._share(app_id):
            return False
        self._working[app_id] = mine + 1
        self._total += 1
        return True

    async def turn(self, app_id: str) -> None:
        """Raises Busy where this application's queue is full, or its turn came too late."""
        queue = self._queues.get(app_id)
        if queue is None:
            queue = self._queues[app_id] = deque()
        elif len(queue) >= self.per_app:
            raise _busy()
        loop = asyncio.get_running_loop()
        came, mine = loop.time(), loop.create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.leave(app_id)
            raise
        if loop.time() - came > LONGEST_WAIT:
            self.leave(app_id)
            raise _busy()

    def leave(self, app_id: str) -> None:
        """One that was worked on is done."""
        left = self._working[app_id] - 1
        if left:
            self._working[app_id] = left
        else:
            del self._working[app_id]
        self._total -= 1
        if self._queues:
            self._next(app_id)

    def _share(self, app_id: str) -> int:
        others = len(self._working) - (app_id in self._working)
        return max(1, self.at_once // (others + 1))

    def _next(self, left: str) -> None:
        """Room goes to whoever has waited longest for a turn; without room, the application that
        one of its own has just left may have it back where it has less than its share."""
        while self._queues:
            if self._total < self.at_once:
                app_id = next(iter(self._queues))
            elif left in self._queues and self._working.get(left, 0) < self._share(left):
                app_id = left
            else:
                return
            queue = self._queues.pop(app_id)
            waiter = queue.popleft()
            if queue:
                self._queues[app_id] = queue  # to the end: the next application's turn
            if not waiter.done():
                self._working[app_id] = self._working.get(app_id, 0) + 1
                self._total += 1
                waiter.set_result(None)


@dataclass
class AdmissionQueues:
    """Signing in waits for threads that hash; nobody who has signed in waits behind it."""

    at_once: int = 32
    work: FairQueue = field(init=False)
    hashing: FairQueue = field(init=False)

    def __post_init__(self) -> None:
        self.work, self.hashing = FairQueue(self.at_once), FairQueue(self.at_once)

    async def begin(self, visit: GatewayRequest) -> None:
        """Raises Busy."""
        lane = self.work
        if visit.method == "POST" and visit.path.startswith(HASHED):
            lane = self.hashing
        app_id = visit.app.app_id
        if not lane.enter(app_id):
            visit.facts["waited"] = True
            await lane.turn(app_id)
        visit.lane = lane

    def end(self, visit: GatewayRequest) -> None:
        """The answer begins. Said twice, it is heard once."""
        lane, visit.lane = visit.lane, None
        if lane is not None:
            lane.leave(visit.app.app_id)


def _busy() -> Busy:
    metrics.LIMITED.labels("share").inc()
    return Busy("too many requests of this application at once", retry_after=1)
