"""When each key was last used, without a write per request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from common import logs
from common.db import Database
from common.periodic import FAULTS, flush_periodically
from tenancy.queries import api_keys

log = logs.get(__name__)


@dataclass
class KeyUsage:
    """Remembers uses in memory and writes them in one statement every `every` seconds."""

    upkeep_db: Database
    every: float = 60.0
    _used: dict[str, datetime] = field(default_factory=dict)

    def note(self, key_id: str) -> None:
        self._used[key_id] = datetime.now(UTC)

    async def run(self) -> None:
        await flush_periodically(self.flush, every=self.every)

    async def flush(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self.upkeep_db.everywhere() as db:
                await api_keys.used(db, ids=list(used), times=list(used.values()))
        except FAULTS as error:
            self._used = used | self._used  # a later use stays the later one
            log.warning("key usage waits", error=type(error).__name__)
