"""The callers that wait for a connection, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic

from common.poolable import C


class PoolWaiters(Generic[C]):
    """A queue of futures. A caller that leaves is removed wherever it stands."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: OrderedDict[asyncio.Future[C], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, within: float) -> tuple[asyncio.Future[C], asyncio.TimerHandle]:
        """Returns a future for a caller, and the timer that ends its wait by a TimeoutError."""
        waiter: asyncio.Future[C] = self._loop.create_future()
        self._queue[waiter] = None
        return waiter, self._loop.call_later(within, _expire, waiter)

    def remove(self, waiter: asyncio.Future[C]) -> None:
        """Removes a caller that has left or was served."""
        self._queue.pop(waiter, None)

    def next(self) -> asyncio.Future[C] | None:
        """Removes and returns the first caller that still waits, or None."""
        while self._queue:
            waiter, _ = self._queue.popitem(last=False)
            if not waiter.done():  # cancelled or too late, and about to leave
                return waiter
        return None

    def refuse_next(self, error: Exception) -> None:
        """Ends the wait of the first caller by an error."""
        if (waiter := self.next()) is not None:
            waiter.set_exception(error)


def _expire(waiter: asyncio.Future[C]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("no database connection is free"))
