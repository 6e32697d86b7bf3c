"""Moves the NATS connection of a process to a new login, when the file of its password has changed.

No request fails meanwhile: a second connection answers while the first one is closed and opened again, and calls
of this process wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import nats.errors

from common import logs
from common.bus_server import BusServer
from common.lame_duck import LameDuck
from common.nats_client import NatsClient
from common.nats_logins import NatsLogins

log = logs.get(__name__)

LOOK: Final = 5.0
"""Seconds between two looks at the file."""
ANSWERS: Final = 5.0
"""Seconds for requests that have arrived to be answered."""
Connect = Callable[[NatsClient], Awaitable[None]]
"""Connects a further client with the newest login."""


class LoginChange:
    """Follows the file of the password for one connection."""

    def __init__(self, logins: NatsLogins, lame_duck: LameDuck, connect: Connect) -> None:
        self._logins, self._lame_duck, self._connect = logins, lame_duck, connect
        self.server: BusServer | None = None
        """Answers the requests that arrive over the connection, if there are any."""

    async def follow(self) -> None:
        """Looks at the file for ever. A new login that the server refuses is tried again at the next look."""
        due = False
        while True:
            await asyncio.sleep(LOOK)
            due = self._logins.was_replaced() or due
            if due and self._logins.configured()[0] != self._logins.used:
                due = not await self.change()

    async def change(self) -> bool:
        """Moves to the newest login. Returns False if the server does not accept it."""
        second = NatsClient()
        try:
            await self._connect(second)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("nats.login_refused", error=type(error).__name__)
            return False
        try:
            if self.server is not None:
                await self.server.listen_on(second)
            await self._lame_duck.reconnect(self._answer_all)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("nats.login_kept", error=type(error).__name__)
            return False
        finally:
            await self._close(second)
        log.info("nats.login_changed", user=self._logins.used[0])
        return True

    async def _answer_all(self) -> None:
        if self.server is not None:
            await self.server.finish_running(ANSWERS)

    async def _close(self, second: NatsClient) -> None:
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            if self.server is not None and second.is_connected:
                await self.server.stop_listening_on(second)
                await self.server.finish_running(ANSWERS)
                await second.flush(timeout=2)
        await second.close()
