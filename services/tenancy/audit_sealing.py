"""Chains what was committed, in the order in which it is seen, and signs the head.

Events come from every service at once, so there is no order of commits to follow; the chain's order
is its own. One transaction at a time extends the chain of an application, whichever replica it
runs in.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from common import audit_chain as chain
from common import logs, metrics
from common.context import Context, system_context, traced
from common.db import Db
from common.ids import is_id
from common.outbox import ID
from common.periodic import FAULTS
from tenancy import audit_counts
from tenancy.deps import Deps
from tenancy.queries import audit, audit_chain

log = logs.get(__name__)

BATCH: Final = 500
LATEST: Final = timedelta(minutes=10)
"""No transaction lives this long: what is older than the head by more was seen by it."""
SWEEP_EVERY: Final = 120.0
"""Seconds between looks at everything of the last ten minutes of an application that is active: a
message of the stream may have been missed. Each look probes all of those events again."""
MOST: Final = 5_000
"""Events of one application that are remembered by their ids: what is more waits for the sweep."""
SIGN_EVERY: Final = 60.0
"""Seconds between signatures while there is something new."""
GATHER: Final = 1.0
"""Seconds from an event to its sealing: more may come."""
RETRY: Final = 15.0
"""Seconds before another try where the chain was locked or the database away."""
LOOK: Final = 600.0
"""Seconds between looks at every application: messages may have been missed."""


class Outcome(Enum):
    DONE = "everything is sealed and signed"
    SIGNATURE_DUE = "a signature is due later"
    LOCKED = "another replica extends the chain at this moment"


async def seal(deps: Deps, app_id: str, *, sign: bool = False) -> Outcome:
    """Chains all events there are, and signs the head if `sign` or if a signature is due."""
    ctx = system_context(app_id, within=30)
    while True:
        async with deps.db.transaction(ctx) as tx:
            if not await audit_chain.lock(tx, app_id=app_id):
                return Outcome.LOCKED
            head = await audit_chain.head(tx, app_id=app_id)
            since = head.created_at - LATEST if head else None
            events = await audit_chain.unsealed(tx, app_id=app_id, since=since, limit=BATCH)
            head = await _extend(deps, tx, app_id, head, events)
            if len(events) < BATCH:
                await audit_counts.merge_days(tx, app_id, datetime.now(UTC))
                return await _sign(deps, tx, ctx, head, sign)


async def seal_events(deps: Deps, app_id: str, ids: Sequence[str]) -> Outcome:
    """Chains these events, each looked up once, and signs the head if a signature is due."""
    ctx = system_context(app_id, within=30)
    async with deps.db.transaction(ctx) as tx:
        if not await audit_chain.lock(tx, app_id=app_id):
            return Outcome.LOCKED
        head = await audit_chain.head(tx, app_id=app_id)
        for start in range(0, len(ids), BATCH):
            part = list(ids[start : start + BATCH])
            events = await audit_chain.unsealed_of(tx, app_id=app_id, ids=part)
            head = await _extend(deps, tx, app_id, head, events)
        return await _sign(deps, tx, ctx, head, False)


async def _extend(
    deps: Deps,
    tx: Db,
    app_id: str,
    head: audit_chain.Head | None,
    events: list[audit_chain.Unsealed],
) -> audit_chain.Head | None:
    """Appends the events to the chain. Returns its new head."""
    if not events:
        return head
    seq, previous = (head.seq, head.hash) if head else (0, chain.START)
    links: list[audit_chain.Link] = []
    for event in events:
        user = event.user_id
        ref = chain.user_ref(deps.keys, app_id, event.id, user) if user else None
        seq += 1
        made = chain.link(app_id, seq, previous, vars(event) | {"user_ref": ref})
        links.append(audit_chain.Link(seq, event.id, previous, made, ref))
        previous = made
    await audit_chain.extend(tx, app_id=app_id, links=links)
    await audit_counts.add(tx, app_id, events)
    return audit_chain.Head(seq, previous, datetime.now(UTC))


async def _sign(
    deps: Deps, tx: Db, ctx: Context, head: audit_chain.Head | None, now: bool
) -> Outcome:
    if head is None:
        return Outcome.DONE
    signed = await audit_chain.last_signed(tx, app_id=ctx.app_id)
    if signed is not None and signed.seq >= head.seq:
        return Outcome.DONE
    at = datetime.now(UTC)
    if signed is not None and not now and at - signed.created_at < timedelta(seconds=SIGN_EVERY):
        return Outcome.SIGNATURE_DUE
    made = chain.sign(deps.keys, ctx.app_id, head.seq, head.hash, at=at)
    await audit_chain.insert_checkpoint(
        tx,
        app_id=ctx.app_id,
        seq=head.seq,
        hash=head.hash,
        kid=made.kid,
        signature=made.signature,
        created_at=at,
    )
    return Outcome.DONE


@dataclass
class Waiting:
    """What is to be done for one application, in seconds of the monotonic clock."""

    ids: set[str] = field(default_factory=set)
    seal_at: float = math.inf
    """When the events in `ids` are sealed, and a due signature made."""
    sweep_at: float = math.inf
    """When everything of the last ten minutes is looked at."""
    since: float = math.inf
    """When the oldest event in `ids` was heard of."""


@dataclass
class Sealing:
    """Hears of every event that was relayed and seals it a little later."""

    deps: Deps
    nc: Client
    _waiting: dict[str, Waiting] = field(default_factory=dict)

    async def run(self) -> None:
        metrics.maintain(metrics.SEALING_LAG)
        metrics.SEALING_LAG.set_function(self.lag)
        await self.nc.subscribe("audit.>", queue="tenancy-sealing", cb=self._heard)
        looked = 0.0
        while True:
            now = time.monotonic()
            if now - looked > LOOK or looked == 0.0:
                looked = now
                with traced():
                    await self._all()
            for app_id, waiting in list(self._waiting.items()):
                with traced():
                    await self._one(app_id, waiting, now)
            await asyncio.sleep(GATHER / 2)

    def lag(self) -> float:
        """Seconds since the oldest event was heard of that is not sealed; 0 where there is none."""
        oldest = min((waiting.since for waiting in self._waiting.values()), default=math.inf)
        return max(0.0, time.monotonic() - oldest) if oldest < math.inf else 0.0

    async def _heard(self, msg: Msg) -> None:
        """Records go to the stream one by one, under their id; activity is not in the log."""
        id = (msg.headers or {}).get(ID)
        if id is None or not is_id(id):
            return
        now = time.monotonic()
        waiting = self._of(msg.subject.split(".")[2])
        if len(waiting.ids) < MOST:
            waiting.ids.add(id)
            waiting.since = min(waiting.since, now)
        waiting.seal_at = min(waiting.seal_at, now + GATHER)
        waiting.sweep_at = min(waiting.sweep_at, now + SWEEP_EVERY)

    def _of(self, app_id: str) -> Waiting:
        return self._waiting.setdefault(app_id, Waiting())

    async def _all(self) -> None:
        """After a start, and now and then: whatever nobody heard of."""
        try:
            async with self.deps.upkeep_db.everywhere() as db:
                found = await audit.applications(db)
        except FAULTS as error:
            log.warning("sealing waits", error=type(error).__name__)
            return
        for app_id in found:
            self._of(app_id).sweep_at = 0.0

    async def _one(self, app_id: str, waiting: Waiting, now: float) -> None:
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
            # A deleted application fails here too, once: its chain is gone with it.
            log.warning("sealing failed", app_id=app_id, error=type(error).__name__)
            if isinstance(error, asyncpg.ForeignKeyViolationError):
                self._waiting.pop(app_id, None)
                return
            outcome = Outcome.LOCKED
        if outcome is Outcome.LOCKED:
            waiting.since = min(waiting.since, since)
        self._settle(app_id, waiting, ids, sweeps, outcome)

    def _settle(
        self, app_id: str, waiting: Waiting, ids: list[str], sweeps: bool, outcome: Outcome
    ) -> None:
        """Plans what is left to do; forgets an application with nothing to do."""
        now = time.monotonic()
        if outcome is Outcome.LOCKED:
            waiting.ids.update(ids[: MOST - len(waiting.ids)])
            waiting.seal_at = min(waiting.seal_at, now + RETRY)
            if sweeps:
                waiting.sweep_at = min(waiting.sweep_at, now + RETRY)
        elif outcome is Outcome.SIGNATURE_DUE:
            waiting.seal_at = min(waiting.seal_at, now + SIGN_EVERY / 4)
        if waiting.seal_at == waiting.sweep_at == math.inf:
            self._waiting.pop(app_id, None)
