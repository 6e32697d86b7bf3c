"""Chains what was committed, in the order in which it is seen, and signs the head.

Events come from every service at once, so there is no order of commits to follow; the chain's order
is its own. One transaction at a time extends the chain of an application, whichever replica it
runs in.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from common import audit_chain as chain
from common import logs
from common.context import Context, system_context
from common.db import Db
from common.rounds import FAULTS
from tenancy.deps import Deps
from tenancy.queries import audit, audit_chain

log = logs.get(__name__)

BATCH: Final = 500
LATEST: Final = timedelta(minutes=10)
"""No transaction lives this long: what is older than the head by more was seen by it."""
SIGN_EVERY: Final = 60.0
"""Seconds between signatures while there is something new."""
GATHER: Final = 1.0
"""Seconds from an event to its sealing: more may come."""
LOOK: Final = 600.0
"""Seconds between looks at every application: messages may have been missed."""


async def seal(deps: Deps, app_id: str, *, sign: bool = False) -> bool:
    """Chain all there is; sign the head if asked or due. True where a signature is still due."""
    ctx = system_context(app_id, within=30)
    while True:
        async with deps.db.transaction(ctx) as tx:
            if not await audit_chain.lock(tx, app_id=app_id):
                return True  # somebody is at it: look again
            count, head = await _extend(deps, tx, app_id)
            if count < BATCH:
                return head is not None and await _sign(deps, tx, ctx, head, sign)


async def _extend(deps: Deps, tx: Db, app_id: str) -> tuple[int, audit_chain.Head | None]:
    head = await audit_chain.head(tx, app_id=app_id)
    since = head.created_at - LATEST if head else None
    events = await audit_chain.unsealed(tx, app_id=app_id, since=since, limit=BATCH)
    if not events:
        return 0, head
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
    return len(events), audit_chain.Head(seq, previous, datetime.now(UTC))


async def _sign(deps: Deps, tx: Db, ctx: Context, head: audit_chain.Head, now: bool) -> bool:
    signed = await audit_chain.last_signed(tx, app_id=ctx.app_id)
    if signed is not None and signed.seq >= head.seq:
        return False
    at = datetime.now(UTC)
    if signed is not None and not now and at - signed.created_at < timedelta(seconds=SIGN_EVERY):
        return True
    made = chain.sign(deps.keys, ctx.app_id, head.seq, head.hash, at)
    await audit_chain.insert_checkpoint(
        tx,
        app_id=ctx.app_id,
        seq=head.seq,
        hash=head.hash,
        kid=made.kid,
        signature=made.signature,
        created_at=at,
    )
    return False


@dataclass
class Sealing:
    """Hears of every event that was relayed and seals its application a little later."""

    deps: Deps
    nc: Client
    _due: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        await self.nc.subscribe("audit.>", queue="tenancy-sealing", cb=self._heard)
        looked = 0.0
        while True:
            now = time.monotonic()
            if now - looked > LOOK or looked == 0.0:
                looked = now
                await self._all()
            for app_id in [id for id, due in self._due.items() if due <= now]:
                await self._one(app_id)
            await asyncio.sleep(GATHER / 2)

    async def _heard(self, msg: Msg) -> None:
        app_id = msg.subject.split(".")[2]
        due = time.monotonic() + GATHER
        self._due[app_id] = min(due, self._due.get(app_id, due))

    async def _all(self) -> None:
        """After a start, and now and then: whatever nobody heard of."""
        try:
            async with self.deps.upkeep_db.everywhere() as db:
                found = await audit.applications(db)
        except FAULTS as error:
            log.warning("sealing waits", error=type(error).__name__)
            return
        for app_id in found:
            self._due.setdefault(app_id, 0.0)

    async def _one(self, app_id: str) -> None:
        self._due.pop(app_id, None)
        try:
            later = await seal(self.deps, app_id)
        except FAULTS as error:
            # A deleted application fails here too, once: its chain is gone with it.
            log.warning("sealing failed", app_id=app_id, error=type(error).__name__)
            if isinstance(error, asyncpg.ForeignKeyViolationError):
                return
            later = True
        if later:
            self._due.setdefault(app_id, time.monotonic() + SIGN_EVERY / 4)
