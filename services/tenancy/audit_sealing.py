"""Seals events: chains what was committed, and signs the head of the chain.

Events come from all services at once, so there is no order of commits to follow. The chain has an
order of its own. One transaction at a time extends the chain of an application, in any replica.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import Final

from common import audit_chain as chain
from common import clock
from common.context import Context, system_context
from common.db import Db
from tenancy import audit_counts, usage_rollup
from tenancy.deps import Deps
from tenancy.queries import audit_chain, audit_checkpoints
from tenancy.queries.audit_chain import ChainLink, Head, LoggedEvent

BATCH: Final = 500
LATEST: Final = timedelta(minutes=10)
"""Longer than any transaction lives. An unsealed event is at most this much older than the head."""
SIGN_EVERY: Final = 60.0
"""Seconds between signatures while there is something new."""


class Outcome(Enum):
    """The result of sealing: what is left to do."""

    DONE = "everything is sealed and signed"
    SIGNATURE_DUE = "a signature is due later"
    LOCKED = "another replica extends the chain at this moment"


async def seal(deps: Deps, app_id: str, *, sign: bool = False) -> Outcome:
    """Chains all unsealed events, and signs the head if `sign` or if a signature is due."""
    ctx = system_context(app_id, within=30, home=await deps.home_of(app_id))
    while True:
        async with deps.db.transaction(ctx) as tx:
            if not await audit_chain.lock(tx, app_id=app_id):
                return Outcome.LOCKED
            head = await audit_chain.head(tx, app_id=app_id)
            since = head.created_at - LATEST if head else None
            events = await audit_chain.unsealed(tx, app_id=app_id, since=since, limit=BATCH)
            head = await _extend(deps, tx, ctx, events, head=head)
            if len(events) < BATCH:
                now = clock.utc_now()
                await audit_counts.merge_days(tx, app_id, now)
                await usage_rollup.delete_old(tx, app_id, now)
                return await _sign(deps, tx, ctx, head, immediately=sign)


async def seal_events(deps: Deps, app_id: str, ids: Sequence[str]) -> Outcome:
    """Chains these events, each looked up once, and signs the head if a signature is due."""
    ctx = system_context(app_id, within=30, home=await deps.home_of(app_id))
    async with deps.db.transaction(ctx) as tx:
        if not await audit_chain.lock(tx, app_id=app_id):
            return Outcome.LOCKED
        head = await audit_chain.head(tx, app_id=app_id)
        for start in range(0, len(ids), BATCH):
            part = list(ids[start : start + BATCH])
            events = await audit_chain.unsealed_by_ids(tx, app_id=app_id, ids=part)
            head = await _extend(deps, tx, ctx, events, head=head)
        return await _sign(deps, tx, ctx, head, immediately=False)


async def _extend(
    deps: Deps, tx: Db, ctx: Context, events: list[LoggedEvent], *, head: Head | None
) -> Head | None:
    """Appends the events to the chain. Returns its new head."""
    if not events:
        return head
    app_id = ctx.app_id
    seq, previous = (head.seq, head.hash) if head else (0, chain.START)
    links: list[ChainLink] = []
    for event in events:
        user = event.user_id
        ref = chain.user_ref(deps.keys, app_id, event.id, user) if user else None
        seq += 1
        hash = chain.link(app_id, seq, previous, vars(event) | {"user_ref": ref})
        links.append(ChainLink(seq, event.id, previous, hash, ref))
        previous = hash
    await audit_chain.insert(tx, app_id=app_id, links=links)
    await audit_counts.add(tx, app_id, events)
    await usage_rollup.add(tx, app_id, events)
    return Head(seq, previous, clock.utc_now())


async def _sign(
    deps: Deps, tx: Db, ctx: Context, head: Head | None, *, immediately: bool
) -> Outcome:
    """Signs the head if that is due, or with `immediately` if it is not signed yet."""
    if head is None:
        return Outcome.DONE
    signed = await audit_checkpoints.last(tx, app_id=ctx.app_id)
    if signed is not None and signed.seq >= head.seq:
        return Outcome.DONE
    now = clock.utc_now()
    if (
        signed is not None
        and not immediately
        and now - signed.created_at < timedelta(seconds=SIGN_EVERY)
    ):
        return Outcome.SIGNATURE_DUE
    signature = chain.sign(deps.keys, ctx.app_id, head.seq, head.hash, at=now)
    await audit_checkpoints.insert(
        tx,
        app_id=ctx.app_id,
        seq=head.seq,
        hash=head.hash,
        kid=signature.kid,
        signature=signature.signature,
        created_at=now,
    )
    return Outcome.DONE
