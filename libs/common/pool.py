"""Work that keeps a core busy, in threads, with a bounded queue and a fair share per application."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from common import metrics
from common.problems import Busy

T = TypeVar("T")


@dataclass
class FairPool:
    """No more threads than cores. Each application has a queue of its own, served in turn, so one
    that is under attack cannot starve the others; a full queue answers Busy at once.
    """

    threads: int = field(default_factory=lambda: max(1, min(os.cpu_count() or 1, 8)))
    per_app: int = 16
    total: int = 256
    _queues: OrderedDict[str, deque[tuple[asyncio.Future[Any], Callable[[], Any]]]] = field(
        default_factory=OrderedDict
    )
    _waiting: int = 0
    _running: int = 0

    def __post_init__(self) -> None:
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="hash")

    async def run(self, app_id: str, work: Callable[[], T]) -> T:
        """Raises Busy where this application's share of the queue, or the whole queue, is full."""
        queue = self._queues.get(app_id)
        if self._waiting >= self.total or (queue is not None and len(queue) >= self.per_app):
            raise Busy("too many sign-ins at once", retry_after=1)
        if queue is None:
            queue = self._queues[app_id] = deque()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        queue.append((future, work))
        self._waiting += 1
        metrics.HASHING.set(self._waiting + self._running)
        self._next()
        return await future

    def _next(self) -> None:
        while self._running < self.threads and self._queues:
            app_id, queue = self._queues.popitem(last=False)
            future, work = queue.popleft()
            self._waiting -= 1
            if queue:
                self._queues[app_id] = queue  # to the end: the next application's turn
            if future.cancelled():
                continue
            self._running += 1
            started = asyncio.get_running_loop().run_in_executor(self._executor, work)
            started.add_done_callback(partial(self._done, future))

    def _done(self, future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._running -= 1
        metrics.HASHING.set(self._waiting + self._running)
        if not future.cancelled():
            error = done.exception()
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())
        self._next()

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
