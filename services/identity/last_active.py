"""The time when a session was last active: written at most once a minute, in batches, never by a
request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from common import clock, logs
from common.context import Context, system_context
from common.db import Database
from common.periodic import FAULTS, flush_periodically
from identity.queries import sessions

log = logs.get(__name__)

AT_MOST_EVERY: Final = timedelta(minutes=1)


def is_due(last_active_at: datetime, idle_expires_at: datetime | None) -> bool:
    """Returns whether the time is old enough to be written again: a minute, or a quarter of a
    shorter idle limit. So an active user never reaches the limit."""
    every = AT_MOST_EVERY
    if idle_expires_at is not None:
        every = min(every, (idle_expires_at - last_active_at) / 4)
    return clock.utc_now() - last_active_at >= every


@dataclass
class LastActive:
    """Collects the sessions that were used and writes them every few seconds. At most `size` of
    them wait."""

    db: Database
    every: float = 5.0
    size: int = 100_000
    _seen: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _count: int = 0
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    def mark(self, ctx: Context, session_id: str) -> None:
        """Notes that the session was used."""
        if self._count >= self.size:
            return  # the next check marks the session again
        waiting = self._seen.setdefault((ctx.home, ctx.app_id), set())
        if session_id not in waiting:
            waiting.add(session_id)
            self._count += 1
            self._noted.set()

    async def run(self) -> None:
        """Writes the sessions periodically, for as long as the service runs."""
        await flush_periodically(self.flush, every=self.every, noted=self._noted)

    async def flush(self) -> None:
        """Writes the sessions that wait."""
        seen, self._seen, self._count = self._seen, {}, 0
        for (home, app_id), ids in seen.items():
            try:
                async with self.db.autocommit(system_context(app_id, home=home)) as db:
                    await sessions.touch(db, app_id=app_id, ids=sorted(ids))
            except FAULTS as error:
                log.warning("last activity not written", error=type(error).__name__)
