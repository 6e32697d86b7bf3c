"""What a client does when its NATS server is about to stop (lame duck mode)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import nats.errors
from nats.aio.client import Client

from common import logs

log = logs.get(__name__)

ANNOUNCED: Final = 60.0
"""Seconds after the announcement in which a lost connection is expected to come back soon."""
UNANSWERED: Final = 2.0
"""Seconds to wait for the answers to our own calls before the connection is given up."""
POLL: Final = 0.02


class LameDuck:
    """Moves the connection to another server of the list. Where there is no other, calls wait for
    the same server's return instead of failing: they have not been sent yet."""

    def __init__(self, nc: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._nc = nc
        self._clock = clock
        self._announced: float | None = None
        self.paused = False
        """No call may be sent now: the connection is about to be closed."""

    async def announced(self) -> None:
        """The server says that it stops."""
        self._announced = self._clock()
        if len(self._nc._server_pool) < 2:
            log.warning("nats.lame_duck", other_servers=0)
            return
        log.info("nats.lame_duck", other_servers=len(self._nc._server_pool) - 1)
        self.paused = True
        try:
            await self._finish()
            await self._nc.force_reconnect()
        finally:
            self.paused = False

    async def _finish(self) -> None:
        """Take no more requests, and have the answers to our own. What was taken is answered on the
        new connection, which subscribes again."""
        inbox = bytes(self._nc._resp_sub_prefix or b"")
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            for sid, sub in list(self._nc._subs.items()):
                if not inbox or not sub.subject.encode().startswith(inbox):
                    await self._nc._send_unsubscribe(sid)
            await self._nc._flush_pending(force_flush=True)
            await self._nc.flush(timeout=1)
        unanswered = list(self._nc._resp_map.values())
        if unanswered:
            await asyncio.wait(unanswered, timeout=UNANSWERED)

    async def connected(self, seconds: float) -> bool:
        """Wait for the connection, at most so long. False at once where no stop was announced: then
        nobody knows when the server comes back."""
        if self._announced is None or self._clock() - self._announced > ANNOUNCED:
            return False
        ends = self._clock() + seconds
        while self.paused or not self._nc.is_connected:
            if self._clock() >= ends:
                return False
            await asyncio.sleep(POLL)
        return True
