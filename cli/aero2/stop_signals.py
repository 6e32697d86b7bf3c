"""The signals that end `aero2 up`."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from aero2.supervisor import Supervisor


class StopSignals:
    """Ctrl-C, SIGTERM and a closed terminal end the platform; a second Ctrl-C ends it at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.supervisor: Supervisor | None = None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.asked.is_set() and self.supervisor is not None:
            self.supervisor.kill()
        self.asked.set()

    async def before(self, work: Any) -> bool:
        """Do the work; False where we were asked to stop before it was done."""
        doing = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self.asked.wait())
        await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
            return False
        doing.result()
        return True
