"""Stores when each API key was last used, without a write for each request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from common import clock, logs
from common.db import Database
from common.periodic import FAULTS, flush_periodically
from tenancy.queries import api_keys

log = logs.get(__name__)


@dataclass
class KeyUsage:
    """Collects uses in memory, and writes them in one statement every `every` seconds."""

    upkeep_db: Database
    every: float = 60.0
    _last_used: dict[str, datetime] = field(default_factory=dict)
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, key_id: str) -> None:
        """Notes that the key was used now."""
        self._last_used[key_id] = clock.utc_now()
        self._noted.set()

    async def run(self) -> None:
        """Writes for the life of the process, and once more when it stops."""
        await flush_periodically(self.flush, every=self.every, noted=self._noted)

    async def flush(self) -> None:
        """Writes what was noted. If the database is away, it is written later."""
        last_used, self._last_used = self._last_used, {}
        if not last_used:
            return
        try:
            async with self.upkeep_db.unbound_transaction() as db:
                await api_keys.set_last_used(
                    db, ids=list(last_used), times=list(last_used.values())
                )
        except FAULTS as error:
            self._last_used = last_used | self._last_used  # the later time of a key stays
            self._noted.set()
            log.warning("key usage waits", error=type(error).__name__)
