"""Sessions that ended elsewhere: their clients are told, whoever ended them and however."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from common import logs
from common.context import system_context
from common.rounds import FAULTS, again
from oidc import logout
from oidc.deps import Deps
from oidc.queries import logouts

log = logs.get(__name__)

EVERY: Final = 30.0
"""Seconds between looks for what ended while nobody listened."""


@dataclass
class Endings:
    """Listens to what changed. The work is done in tasks: listeners of drop messages must not
    wait."""

    deps: Deps
    _running: set[asyncio.Task[None]] = field(default_factory=set)

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
        await again(partial(sweep, self.deps), every=EVERY, name="endings")


async def over(deps: Deps, app_id: str, noun: str, id: str) -> list[str]:
    """Sessions that ended, whose clients have not heard of it."""
    async with deps.db.reading(system_context(app_id)) as db:
        if noun == "user":
            return await logouts.ended(db, app_id=app_id, user_id=id)
        return await logouts.ended(db, app_id=app_id, session_id=id)


async def sweep(deps: Deps) -> None:
    """What was missed, in any application. A session that cannot be told of keeps no other."""
    async with deps.platform.everywhere() as db:
        found = await logouts.untold(db, limit=500)
    for one in found:
        try:
            await logout.tell(deps, system_context(one.app_id), one.session_id)
        except FAULTS as error:
            log.warning("logout not queued yet", error=type(error).__name__)
