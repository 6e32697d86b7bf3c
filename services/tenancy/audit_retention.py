"""Events go when their application wants them kept no longer; the chain over them stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from common import audit as log_book
from common.context import system_context
from common.events.audit import AuditPruned
from common.periodic import run_periodically
from tenancy import audit_sealing
from tenancy.deps import Deps
from tenancy.queries import audit

EVERY: Final = 6 * 3600.0
"""Seconds between sweeps."""
BATCH: Final = 2000


async def keeping(deps: Deps) -> None:
    """For the life of the process."""
    await run_periodically(partial(once, deps), every=EVERY, name="audit retention", at_once=True)


async def once(deps: Deps, now: datetime | None = None) -> int:
    """Prune every application that asks for it, and what is left of one that is gone. Returns how
    many events went."""
    async with deps.upkeep_db.everywhere() as db:
        wanted = await audit.retentions(db)
    async with deps.upkeep_db.everywhere() as db:
        total = await audit.bereft(db)
    for each in wanted:
        before = (now or datetime.now(UTC)) - timedelta(days=each.days)
        await audit_sealing.seal(deps, each.app_id, sign=True)  # signed before it goes
        gone = await _prune(deps, each.app_id, before)
        if gone:
            ctx = system_context(each.app_id)
            async with deps.db.transaction(ctx) as tx:
                await log_book.record(tx, ctx, AuditPruned(count=gone, before=before))
        total += gone
    return total


async def _prune(deps: Deps, app_id: str, before: datetime) -> int:
    total = 0
    while True:
        async with deps.upkeep_db.everywhere() as db:
            gone = await audit.prune(db, app_id=app_id, before=before, limit=BATCH)
        total += gone
        if gone < BATCH:
            return total
