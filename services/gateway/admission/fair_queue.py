"""How many requests are worked on at once, with a fair share for each application."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from common import metrics
from common.problems import Busy

LONGEST_WAIT: Final = 5.0
"""Seconds. A client that has waited longer has most likely gone."""
HASHED: Final = ("/login", "/signup", "/reset", "/invitation", "/account/password", "/api/auth/")
"""Paths at which a POST may hash a password."""


@dataclass
class FairQueue:
    """Gives slots to requests. While fewer than `at_once` are in use, nobody waits. After that, an
    application that has its share of the slots waits in a queue of its own. The queues are served in
    turn, so an application with a flood of requests cannot starve the others. A full queue raises Busy
    immediately.
    """

    at_once: int = 32
    per_app: int = 256
    _working: dict[str, int] = field(default_factory=dict)
    _total: int = 0
    _queues: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)

    @property
    def running(self) -> int:
        """The slots in use."""
        return self._total

    @property
    def waiting(self) -> int:
        """The requests that wait for a slot."""
        return sum(map(len, self._queues.values()))

    def enter(self, app_id: str) -> bool:
        """Takes a slot if one is free. If it returns False, await `wait` for one."""
        mine = self._working.get(app_id, 0)
        if self._total >= self.at_once > 0 and mine >= self._share(app_id):
            return False
        self._working[app_id] = mine + 1
        self._total += 1
        return True

    async def wait(self, app_id: str) -> None:
        """Waits for a slot. Raises Busy if the application's queue is full or the wait was too long."""
        queue = self._queues.get(app_id)
        if queue is None:
            queue = self._queues[app_id] = deque()
        elif len(queue) >= self.per_app:
            raise _busy()
        loop = asyncio.get_running_loop()
        arrival, mine = loop.time(), loop.create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.leave(app_id)
            raise
        if loop.time() - arrival > LONGEST_WAIT:
            self.leave(app_id)
            raise _busy()

    def leave(self, app_id: str) -> None:
        """Frees a slot of this application."""
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
        """Gives free slots to the applications in turn. If no slot is free, the application that has
        just left one gets it back, as long as it has less than its share."""
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
                self._queues[app_id] = queue  # to the end: the next application is served first
            if not waiter.done():
                self._working[app_id] = self._working.get(app_id, 0) + 1
                self._total += 1
                waiter.set_result(None)


@dataclass(eq=False)
class AdmissionQueues:
    """Two queues: signing in waits for threads that hash passwords, and nothing else waits behind it."""

    at_once: int = 32
    work: FairQueue = field(init=False)
    hashing: FairQueue = field(init=False)

    def __post_init__(self) -> None:
        self.work, self.hashing = FairQueue(self.at_once), FairQueue(self.at_once)

    @property
    def running(self) -> int:
        """The requests that have a slot."""
        return self.work.running + self.hashing.running

    @property
    def waiting(self) -> int:
        """The requests that wait for one."""
        return self.work.waiting + self.hashing.waiting

    def queue_for(self, method: str, path: str) -> FairQueue:
        """Returns the queue for a request with this method and path."""
        return self.hashing if method == "POST" and path.startswith(HASHED) else self.work


def _busy() -> Busy:
    metrics.LIMITED.labels("share").inc()
    return Busy("too many requests of this application at once", retry_after=1)
