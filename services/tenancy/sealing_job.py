"""Seals each event about a second after the relay has sent it to the stream."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import Final

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from common import logs, metrics
from common.audit import ACTIVITY
from common.audit_lines import line_count, read_lines
from common.context import traced
from common.periodic import FAULTS
from common.problems import NotFound
from tenancy.audit_sealing import SIGN_EVERY, Outcome, seal, seal_events
from tenancy.deps import Deps
from tenancy.queries import applications

log = logs.get(__name__)

GATHER: Final = 1.0
"""Seconds from an event to its sealing, in which others may come."""
RETRY: Final = 15.0
"""Seconds before another try, if the chain was locked or the database away."""
SWEEP_EVERY: Final = 120.0
"""Seconds between sweeps of an active application, since messages of the stream may be missed. A
sweep looks up all events of the last ten minutes."""
SWEEP_ALL_EVERY: Final = 600.0
"""Seconds between sweeps of all applications."""
MAX_IDS: Final = 5_000
"""Ids of events that are kept for one application. Events beyond that wait for the sweep."""


@dataclass
class PendingSeals:
    """The work that waits for one application. Times are seconds of the monotonic clock."""

    ids: set[str] = field(default_factory=set)
    seal_at: float = math.inf
    """When the events in `ids` are sealed, and the head is signed if that is due."""
    sweep_at: float = math.inf
    """When all events of the last ten minutes are looked up."""
    since: float = math.inf
    """When the message of the oldest event in `ids` came."""


@dataclass
class SealingJob:
    """Listens to the stream, and seals what it hears of."""

    deps: Deps
    nc: Client
    _waiting: dict[str, PendingSeals] = field(default_factory=dict)
    _planned: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an application has events to seal that had none before."""

    async def run(self) -> None:
        """Seals for the life of the process."""
        metrics.maintain(metrics.SEALING_LAG)
        metrics.SEALING_LAG.set_function(self.lag)
        await self.nc.subscribe("audit.>", queue="tenancy-sealing", cb=self._heard)
        swept_all_at = 0.0
        while True:
            now = time.monotonic()
            if now - swept_all_at > SWEEP_ALL_EVERY or swept_all_at == 0.0:
                swept_all_at = now
                with traced("sealing"):
                    await self._plan_all()
            for app_id, waiting in list(self._waiting.items()):
                with traced("sealing"):
                    await self._seal_due(app_id, waiting, now)
            await self._rest(swept_all_at + SWEEP_ALL_EVERY)

    async def _rest(self, until: float) -> None:
        """Waits until something is due or is newly planned, and at least half of GATHER."""
        due = [until, *(min(one.seal_at, one.sweep_at) for one in self._waiting.values())]
        seconds = min(due) - time.monotonic()
        if seconds > GATHER / 2:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds - GATHER / 2):
                    await self._planned.wait()
        self._planned.clear()
        await asyncio.sleep(GATHER / 2)

    def lag(self) -> float:
        """Returns the seconds that the oldest known event has waited; 0 if none waits."""
        oldest = min((waiting.since for waiting in self._waiting.values()), default=math.inf)
        return max(0.0, time.monotonic() - oldest) if oldest < math.inf else 0.0

    async def _heard(self, msg: Msg) -> None:
        """Plans the sealing of the records in a message. Activity is not in the log."""
        _, _, app_id, kind = msg.subject.split(".", 3)
        if kind == ACTIVITY:
            return
        lines = list(read_lines(msg.data, app_id))
        if len(lines) < line_count(msg.data):
            log.error("the stream has a line that is no event", subject=msg.subject)
        ids = [line.id for line in lines if not line.is_activity]
        if not ids:
            return
        now = time.monotonic()
        waiting = self._of(app_id)
        if len(waiting.ids) < MAX_IDS:
            waiting.ids.update(ids[: MAX_IDS - len(waiting.ids)])
            waiting.since = min(waiting.since, now)
        if waiting.seal_at == math.inf:
            self._planned.set()
        waiting.seal_at = min(waiting.seal_at, now + GATHER)
        waiting.sweep_at = min(waiting.sweep_at, now + SWEEP_EVERY)

    def _of(self, app_id: str) -> PendingSeals:
        return self._waiting.setdefault(app_id, PendingSeals())

    async def _plan_all(self) -> None:
        """Plans a sweep of every application."""
        for upkeep_db in self.deps.upkeep_db.everywhere():
            try:
                async with upkeep_db.unbound_transaction() as db:
                    app_ids = await applications.ids_at(db, home=upkeep_db.home)
            except FAULTS as error:
                log.warning("sealing waits", home=upkeep_db.home, error=type(error).__name__)
                continue
            for app_id in app_ids:
                self._of(app_id).sweep_at = 0.0

    async def _seal_due(self, app_id: str, waiting: PendingSeals, now: float) -> None:
        """Sweeps the application, or seals the events that wait, if that is due."""
        sweeps, seals = waiting.sweep_at <= now, waiting.seal_at <= now
        if not sweeps and not seals:
            return
        ids, since = sorted(waiting.ids), waiting.since
        waiting.ids.clear()
        waiting.since = math.inf
        waiting.seal_at = math.inf
        if sweeps:
            waiting.sweep_at = math.inf
        try:
            outcome = await (
                seal(self.deps, app_id) if sweeps else seal_events(self.deps, app_id, ids)
            )
        except FAULTS as error:
            # A deleted application fails here too, once: its chain is deleted with it.
            log.warning("sealing failed", app_id=app_id, error=type(error).__name__)
            if isinstance(error, (asyncpg.ForeignKeyViolationError, NotFound)):
                self._waiting.pop(app_id, None)
                return
            outcome = Outcome.LOCKED
        if outcome is Outcome.LOCKED:
            waiting.since = min(waiting.since, since)
        self._plan_next(app_id, waiting, ids, sweeps=sweeps, outcome=outcome)

    def _plan_next(
        self, app_id: str, waiting: PendingSeals, ids: list[str], *, sweeps: bool, outcome: Outcome
    ) -> None:
        """Plans what is left to do, and forgets an application with nothing to do."""
        now = time.monotonic()
        if outcome is Outcome.LOCKED:
            waiting.ids.update(ids[: MAX_IDS - len(waiting.ids)])
            waiting.seal_at = min(waiting.seal_at, now + RETRY)
            if sweeps:
                waiting.sweep_at = min(waiting.sweep_at, now + RETRY)
        elif outcome is Outcome.SIGNATURE_DUE:
            waiting.seal_at = min(waiting.seal_at, now + SIGN_EVERY / 4)
        if waiting.seal_at == waiting.sweep_at == math.inf:
            self._waiting.pop(app_id, None)
