"""The heartbeat of a process: a file that says what the process does, and that its event loop runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common import logs
from common.health import STARTING

log = logs.get(__name__)

INTERVAL: Final = 2.0
"""Seconds between touches of the file."""


@dataclass
class Heartbeat:
    """Keeps the file of a process. Does nothing without a file. A full disk ends no process: its file is
    then stale, and its supervisor decides."""

    file: Path | None
    _state: str = STARTING

    def enter(self, state: str) -> None:
        """Notes a new state at once. Replaces the file, so that nobody reads half of a word."""
        self._state = state
        if self.file is None:
            return
        fresh = self.file.with_name(f".{self.file.name}.new")
        try:
            fresh.write_text(state)
            fresh.replace(self.file)
        except OSError as error:
            log.warning("no heartbeat", error=str(error))

    async def keep(self) -> None:
        """Touches the file until cancelled."""
        self.enter(self._state)
        while self.file is not None:
            await asyncio.sleep(INTERVAL)
            try:
                self.file.touch()
            except OSError as error:
                log.warning("no heartbeat", error=str(error))
