"""How many gateways run: each takes its share of the flood limits (gateway/admission/flood_limits.py).

Gateways announce themselves to each other. No request waits for that, and nothing is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from common import logs
from common.ids import new_id

log = logs.get(__name__)

SUBJECT: Final = "changed.gateway"
"""The id of a gateway follows. Other processes receive it like every change, and ignore it."""
EVERY: Final = 5.0
"""Seconds between two announcements."""
GONE_AFTER: Final = 16.0
"""Seconds without an announcement after which a gateway is no longer counted."""
MOST: Final = 64
"""Gateways that are counted. More of them do not make the limits smaller."""
HERE, NEW, LEAVING = b"here", b"new", b"leaving"
"""A new gateway is answered at once, so that it knows the others before its first flood."""


@dataclass
class Replicas:
    """Counts the gateways. `changed` is called with their number, including this one, whenever it
    changes."""

    nc: Client
    changed: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic
    id: str = field(default_factory=new_id)
    _others: dict[str, float] = field(default_factory=dict)
    _count: int = 1

    async def run(self) -> None:
        """Announces this gateway and listens until cancelled. Then it announces that it leaves."""
        await self.nc.subscribe(f"{SUBJECT}.*", cb=self._receive)
        await self._publish(NEW)
        try:
            while True:
                await asyncio.sleep(EVERY)
                await self.announce()
        finally:
            await self._publish(LEAVING)

    async def announce(self) -> None:
        """Announces this gateway and forgets those that are silent. Without a connection it forgets none."""
        if not self.nc.is_connected:
            self._others = dict.fromkeys(self._others, self.clock())
            return
        await self._publish(HERE)
        oldest = self.clock() - GONE_AFTER
        self._others = {id: last for id, last in self._others.items() if last >= oldest}
        self._recount()

    async def _receive(self, msg: Msg) -> None:
        id = msg.subject.removeprefix(f"{SUBJECT}.")
        if id == self.id:
            return
        if msg.data == LEAVING:
            self._others.pop(id, None)
        elif id in self._others or len(self._others) < MOST - 1:
            self._others[id] = self.clock()
        self._recount()
        if msg.data == NEW:
            await self._publish(HERE)

    async def _publish(self, state: bytes) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):
            if self.nc.is_connected:
                await self.nc.publish(f"{SUBJECT}.{self.id}", state)

    def _recount(self) -> None:
        count = 1 + len(self._others)
        if count != self._count:
            self._count = count
            log.info("gateways", count=count)
            self.changed(count)
