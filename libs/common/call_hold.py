"""Holds the calls of a process for a moment, while the NATS server reads its configuration again.

At a reload of its users the server forgets which replies it has allowed (`allow_responses`): a reply that is on its
way then never arrives. So `aero2 secrets rotate nats` asks the gateways, where all calls begin, to wait until
those that have begun are answered and the reload is done.
"""

from __future__ import annotations

import asyncio
from typing import Final

from nats.aio.msg import Msg

from common import logs
from common.nats_client import NatsClient

log = logs.get(__name__)

SUBJECT: Final = "bus.hold"
"""The data of a message is the number of seconds; 0 ends the wait. Only the command line may send it."""
LONGEST: Final = 5.0
"""Seconds of a wait, whatever the message says."""


class CallHold:
    """Lets calls wait until it is released, or until its time is over."""

    def __init__(self) -> None:
        self._released = asyncio.Event()
        self._released.set()
        self._timer: asyncio.TimerHandle | None = None

    async def listen(self, nc: NatsClient) -> None:
        """Follows the messages of the command line."""
        await nc.subscribe(SUBJECT, cb=self._heard)

    async def _heard(self, msg: Msg) -> None:
        try:
            self.hold(float(msg.data))
        except ValueError:
            log.warning("call hold", problem="no number")

    def hold(self, seconds: float) -> None:
        """Begins to hold calls, or releases them (0 seconds)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds > 0:
            self._released.clear()
            seconds = min(seconds, LONGEST)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._released.set)
        else:
            self._released.set()

    @property
    def holds(self) -> bool:
        """Whether calls must wait now."""
        return not self._released.is_set()

    async def wait(self) -> None:
        """Returns when calls may begin."""
        await self._released.wait()
