"""Sessions that ended elsewhere: their clients are told, whoever ended them and however."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from common import logs
from common.context import system_context
from common.periodic import FAULTS, run_periodically
from oidc import logout
from oidc.deps import Deps
from oidc.queries import logouts

log = logs.get(__name__)

EVERY: Final = 30.0
"""Seconds between looks for what ended while nobody listened."""
WHOLE: Final = 86_400.0
"""Seconds that the first look goes back."""
OVERLAP: Final = 300.0
"""Seconds by which each look goes further back than the last: longer than any transaction takes to
commit what it dated at its start."""
BATCH: Final = 500


@dataclass
class Endings:
    """Listens to what changed. The work is done in tasks: listeners of drop messages must not
    wait."""

    deps: Deps
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _looked: float | None = None
    """When the last look began that found all there was, by the monotonic clock."""

    def heard(self, app_id: str, noun: str, id: str) -> None:
        if noun in ("session", "user") and id != "*":
            task = asyncio.create_task(self._look(app_id, noun, id))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _look(self, app_id: str, noun: str, id: str) -> None:
        try:
            for session_id in await over(self.deps, app_id, noun, id):
                await logout.tell(self.deps, system_context(app_id), session_id)
        except FAULTS as error:
            log.warning("logout not queued yet", error=type(error).__name__)

    async def run(self) -> None:
        await run_periodically(self.look_back, every=EVERY, name="endings", at_once=True)

    async def look_back(self) -> None:
        """At everything since the last look that left nothing behind."""
        now = time.monotonic()
        within = WHOLE if self._looked is None else min(WHOLE, now - self._looked + OVERLAP)
        if await sweep(self.deps, within):
            self._looked = now


async def over(deps: Deps, app_id: str, noun: str, id: str) -> list[str]:
    """Sessions that ended, whose clients have not heard of it."""
    async with deps.db.reading(system_context(app_id)) as db:
        if noun == "user":
            return await logouts.ended(db, app_id=app_id, user_id=id)
        user_id = await logouts.user_of_ended(db, app_id=app_id, session_id=id)
        return [] if user_id is None else await logouts.ended(db, app_id=app_id, user_id=user_id)


async def sweep(deps: Deps, within: float = WHOLE) -> bool:
    """What was missed in the last seconds, in any application; whether nothing is left. A session
    that cannot be told of keeps no other."""
    async with deps.logout_db.everywhere() as db:
        found = await logouts.untold(db, within=within, limit=BATCH)
    told = 0
    for one in found:
        try:
            await logout.tell(deps, system_context(one.app_id), one.session_id)
            told += 1
        except FAULTS as error:
            log.warning("logout not queued yet", error=type(error).__name__)
    return told == len(found) < BATCH
