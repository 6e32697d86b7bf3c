"""Notices sessions that ended elsewhere, by sign-out, revocation or deletion, and tells clients."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from common import logs
from common.context import system_context
from common.homes import MAIN
from common.periodic import FAULTS, run_periodically
from oidc import logout_notification
from oidc.deps import Deps
from oidc.queries import session_clients

log = logs.get(__name__)

EVERY: Final = 30.0
"""Seconds between two searches for sessions whose message was missed."""
WHOLE: Final = 86_400.0
"""The first search covers sessions that ended in this many seconds before the start."""
OVERLAP: Final = 300.0
"""Seconds by which searches overlap. Rows are dated at the start of a transaction, and no
transaction takes longer than this until it commits."""
BATCH: Final = 500
"""Sessions in one search."""


@dataclass
class SessionEndListener:
    """Listens to invalidation messages, and searches for sessions whose message was missed.

    The work runs in tasks, because a listener of these messages must return at once.
    """

    deps: Deps
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _last_complete_search: float | None = None
    """When the last search began that left no session out, by the monotonic clock."""

    def on_change(self, app_id: str, noun: str, id: str) -> None:
        """Starts a task for a session or user that has changed."""
        if noun in ("session", "user") and id != "*":
            task = asyncio.create_task(self._notify(app_id, noun, id))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _notify(self, app_id: str, noun: str, id: str) -> None:
        try:
            ctx = system_context(app_id, home=await self.deps.home_of(app_id))
            for session_id in await find_ended(self.deps, app_id, noun, id, home=ctx.home):
                await logout_notification.notify_clients(self.deps, ctx, session_id)
        except FAULTS as error:
            log.warning("logout not queued yet", error=type(error).__name__)

    async def run(self) -> None:
        """Searches every 30 seconds, until it is cancelled."""
        await run_periodically(self.search, every=EVERY, name="session ends", immediately=True)

    async def search(self) -> None:
        """Searches the time since the last search that left no session out."""
        now, last = time.monotonic(), self._last_complete_search
        within = WHOLE if last is None else min(WHOLE, now - last + OVERLAP)
        if await notify_missed(self.deps, within):
            self._last_complete_search = now


async def find_ended(deps: Deps, app_id: str, noun: str, id: str, *, home: str = MAIN) -> list[str]:
    """Returns the ended sessions of a user, or of a session's user, whose clients have to be told."""
    async with deps.db.reader(system_context(app_id, home=home)) as db:
        user_id: str | None = id
        if noun == "session":
            user_id = await session_clients.find_user_of_revoked(db, app_id=app_id, session_id=id)
        if user_id is None:
            return []
        return await session_clients.list_ended_of_user(db, app_id=app_id, user_id=user_id)


async def notify_missed(deps: Deps, within: float = WHOLE) -> bool:
    """Tells the clients of sessions that ended in the last `within` seconds, in all applications of a
    cluster.

    Returns whether no session is left. A session that fails does not stop the others.
    """
    async with deps.logout_db.unbound_transaction() as db:
        sessions = await session_clients.list_ended(db, within=within, limit=BATCH)
    notified = 0
    for session in sessions:
        try:
            ctx = system_context(session.app_id, home=deps.db.home)
            await logout_notification.notify_clients(deps, ctx, session.session_id)
            notified += 1
        except FAULTS as error:
            log.warning("logout not queued yet", error=type(error).__name__)
    return notified == len(sessions) < BATCH
