"""Leaves a NATS server that is about to stop (lame duck mode), and waits for another one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import nats.errors

from common import logs, nats_private
from common.nats_client import NatsClient

log = logs.get(__name__)

ANNOUNCED: Final = 60.0
"""Seconds after the announcement in which a lost connection is expected to come back soon."""
REPLY_TIME: Final = 2.0
"""Seconds to wait for the replies to our own calls, before the connection is given up."""
MOVE_TIME: Final = 3.0
"""Seconds after the loss of a connection in which another server of the list is expected to take its place."""
BACK_TIME: Final = 10.0
"""Seconds for a connection that we have closed to be back."""
POLL: Final = 0.02
"""Seconds between two looks at the connection."""


class LameDuck:
    """Moves a connection to another server of its list. If there is no other server, calls wait for the
    same server's return instead of failing, because they have not been sent yet."""

    def __init__(self, nc: NatsClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._nc = nc
        self._clock = clock
        self._announced: float | None = None
        self.paused = False
        """No call may be sent now, because the connection is about to be closed."""

    async def announced(self) -> None:
        """Moves to another server. Called when the present one announces that it will stop."""
        self._announced = self._clock()
        other_servers = len(self._nc.servers) - 1
        if other_servers < 1:
            log.warning("nats.lame_duck", other_servers=0)
            return
        log.info("nats.lame_duck", other_servers=other_servers)
        self.paused = True
        try:
            await self._finish()
            await self._nc.force_reconnect()
        finally:
            self.paused = False

    async def reconnect(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Closes and opens the connection, for example with another password. Calls wait meanwhile. `finish` answers
        the requests that have arrived, because a server takes replies only from the connection that it sent
        the request to."""
        self._announced = self._clock()
        self.paused = True
        try:
            await self._finish()
            await self._nc.flush(timeout=5)  # all requests have arrived
            await finish()
            await self._nc.flush(timeout=5)  # all replies have left
            await self._nc.force_reconnect()
            deadline = self._clock() + BACK_TIME
            while not self._nc.is_connected and self._clock() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(POLL)
        finally:
            self.paused = False

    async def _finish(self) -> None:
        """Takes no more requests and waits for the replies to our own. Requests that have arrived
        are answered on the new connection, which subscribes again."""
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            await nats_private.unsubscribe_requests(self._nc)
            await self._nc.flush(timeout=1)
        if replies := nats_private.pending_replies(self._nc):
            await asyncio.wait(replies, timeout=REPLY_TIME)

    async def connected(self, seconds: float) -> bool:
        """Waits for the connection, `seconds` at most. Returns False at once if nobody knows when it will be
        back: there is no other server, and the present one has announced no stop."""
        deadline = self._clock() + seconds
        while self.paused or not self._nc.is_usable:
            if self._clock() >= min(deadline, self._expected_until()):
                return False
            await asyncio.sleep(POLL)
        return True

    def _expected_until(self) -> float:
        """Returns the time until which a connection is expected. The servers may all be gone: then calls wait
        for the first seconds only, and fail at once after that."""
        times = [0.0]
        if self._announced is not None:
            times.append(self._announced + ANNOUNCED)
        if self._nc.lost_at is not None and len(self._nc.servers) > 1:
            times.append(self._nc.lost_at + MOVE_TIME)
        return max(times)
