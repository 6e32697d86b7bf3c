"""Work that keeps a core busy, with a bounded queue and a fair share for each application."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from common import metrics
from common.free_memory import release_free_memory
from common.problems import Busy

T = TypeVar("T")
Start = Callable[[], "asyncio.Future[Any]"]

IDLE: Final = 5.0
"""Seconds without work after which a pool releases the memory that its work has used."""


@dataclass
class FairShare:
    """Distributes a number of workers. Each application has a queue of its own, and the queues take
    turns, so an application under attack cannot starve the others. A full queue answers Busy at
    once. One application holds at most all workers but one, so that others always find one."""

    workers: int
    per_app: int = 16
    total: int = 256
    changed: Callable[[int], None] = lambda busy: None
    _queues: OrderedDict[str, deque[tuple[asyncio.Future[Any], Start]]] = field(
        default_factory=OrderedDict
    )
    _waiting: int = 0
    _running: Counter[str] = field(default_factory=Counter)

    async def run(self, app_id: str, start: Start) -> Any:
        """Calls `start` at the application's turn and waits for the result. Raises Busy if the
        application's queue, or the whole queue, is full. A caller that gives up cancels a Task; a
        thread goes on and holds its worker until it ends."""
        queue = self._queues.get(app_id)
        if self._waiting >= self.total or (queue is not None and len(queue) >= self.per_app):
            raise Busy("too many sign-ins at once", retry_after=1)
        if queue is None:
            queue = self._queues[app_id] = deque()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        queue.append((future, start))
        self._waiting += 1
        self._next()
        return await future

    def _turn(self) -> str | None:
        most = max(1, self.workers - 1)
        return next((app for app in self._queues if self._running[app] < most), None)

    def _next(self) -> None:
        while self._running.total() < self.workers and (app_id := self._turn()) is not None:
            queue = self._queues.pop(app_id)
            future, start = queue.popleft()
            self._waiting -= 1
            if queue:
                self._queues[app_id] = queue  # to the end: the next application's turn
            if future.cancelled():
                continue
            self._running[app_id] += 1
            started = start()
            started.add_done_callback(partial(self._done, app_id, future))
            if isinstance(started, asyncio.Task):
                future.add_done_callback(partial(_give_up, started))
        self.changed(self._waiting + self._running.total())

    def _done(self, app_id: str, future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._running[app_id] -= 1
        if not self._running[app_id]:
            del self._running[app_id]
        if not future.done():
            if done.cancelled():
                future.cancel()
            elif (error := done.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())
        self._next()


def _give_up(started: asyncio.Task[Any], future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        started.cancel()


@dataclass(eq=False)
class FairPool:
    """Threads for work of known cost: one more than cores, so that one application can use every
    core and still leaves a thread to the others."""

    threads: int = field(default_factory=lambda: min(os.cpu_count() or 1, 8) + 1)
    per_app: int = 16
    total: int = 256

    def __post_init__(self) -> None:
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="hash")
        self._busy = 0
        self._releasing: asyncio.TimerHandle | None = None
        self._share = FairShare(self.threads, self.per_app, self.total, self._count)
        metrics.follow(metrics.HASHING, self, lambda pool: pool._busy)
        metrics.maintain(metrics.HASH_WAIT, metrics.HASH_REFUSED)

    def _count(self, busy: int) -> None:
        self._busy = busy
        if self._releasing is not None:
            self._releasing.cancel()
            self._releasing = None
        if not busy:
            self._releasing = asyncio.get_running_loop().call_later(IDLE, self._release)

    def _release(self) -> None:
        """Returns the memory of the hashes to the system, in a thread, since it takes a while."""
        self._releasing = None
        with contextlib.suppress(RuntimeError):  # the pool was closed meanwhile
            self._executor.submit(release_free_memory)

    async def run(self, app_id: str, work: Callable[[], T]) -> T:
        """Runs work in a thread and returns its result. Raises Busy if this application's queue, or
        the whole queue, is full."""
        loop = asyncio.get_running_loop()
        arrival = loop.time()

        def start() -> asyncio.Future[T]:
            metrics.HASH_WAIT.observe(loop.time() - arrival)
            return loop.run_in_executor(self._executor, work)

        try:
            result: T = await self._share.run(app_id, start)
        except Busy:
            metrics.HASH_REFUSED.inc()
            raise
        return result

    def close(self) -> None:
        """Ends the threads. Work that waits is cancelled."""
        if self._releasing is not None:
            self._releasing.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)
