"""Restarts NATS when it runs but no longer stores what it is sent.

After a full disk, NATS keeps its write error until it starts again, however much space there is
by then. The relays wait meanwhile, so `GET /health` says that they are late.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from aero2.supervisor import Supervisor

EVERY: Final = 5.0
"""Seconds between looks."""
ROOM: Final = 64 * 1024 * 1024
"""Bytes that must be free: with less, a restart would not help."""
PAUSE: Final = 120.0
"""Seconds between two restarts: a long outbox takes a while to drain."""

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The gateway is asked over http, on this machine. This context trusts nobody. Loading the certificates
of authorities for each look would cost more than the request."""


@dataclass
class StreamWatchdog:
    """Watches the stream. `relay_state` returns what health says of the relays, or None if it says
    nothing."""

    supervisor: Supervisor
    relay_state: Callable[[], Awaitable[str | None]]
    free: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    _restarted: float | None = None

    async def watch(self) -> None:
        """Checks every few seconds until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Restarts NATS if the relays are late, there is space, and the last restart was long
        ago."""
        if await self.relay_state() != "late" or self.free() < ROOM:
            return
        now = self.clock()
        if self._restarted is not None and now - self._restarted < PAUSE:
            return
        self._restarted = now
        self.supervisor.report("NATS stores no events; starting it again.", "")
        await self.supervisor.restart("nats")


def free_bytes(folder: Path) -> int:
    """Returns the free space for the data, or 0 if the file system gives no answer."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


async def relay_state(url: str, host: str) -> str | None:
    """Returns what `GET /health` at `url` says of the relays, or None."""
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False, verify=NO_TLS) as client:
            answer = await client.get(f"{url}/health", headers={"Host": host})
        state = answer.json()["checks"]["relay"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return state if isinstance(state, str) else None
