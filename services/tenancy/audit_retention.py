"""Deletes events that are older than their application wants them kept.

The hash chain over the deleted events stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from common import audit, clock
from common.context import system_context
from common.events.audit import AuditPruned
from common.periodic import run_periodically
from tenancy import audit_sealing
from tenancy.deps import Deps
from tenancy.queries import audit_retention

EVERY: Final = 6 * 3600.0
"""Seconds between sweeps."""
BATCH: Final = 2000


async def run(deps: Deps) -> None:
    """Deletes old events every `EVERY` seconds, for the life of the process."""
    await run_periodically(
        partial(delete_old_events, deps), every=EVERY, name="audit retention", immediately=True
    )


async def delete_old_events(deps: Deps, now: datetime | None = None) -> int:
    """Deletes the old events of each application of a cluster with a retention, and those of deleted ones.

    Returns how many were deleted.
    """
    async with deps.upkeep_db.unbound_transaction() as db:
        retentions = await audit_retention.retentions(db, home=deps.db.home)
    async with deps.upkeep_db.unbound_transaction() as db:
        total = await audit_retention.delete_orphans(db)
    for each in retentions:
        before = (now or clock.utc_now()) - timedelta(days=each.days)
        await audit_sealing.seal(deps, each.app_id, sign=True)  # before they are deleted
        count = await _delete_oldest(deps, each.app_id, before)
        if count:
            ctx = system_context(each.app_id, home=deps.db.home)
            async with deps.db.transaction(ctx) as tx:
                await audit.record(tx, ctx, AuditPruned(count=count, before=before))
        total += count
    return total


async def _delete_oldest(deps: Deps, app_id: str, before: datetime) -> int:
    total = 0
    while True:
        async with deps.upkeep_db.unbound_transaction() as db:
            count = await audit_retention.delete_oldest(
                db, app_id=app_id, before=before, limit=BATCH
            )
        total += count
        if count < BATCH:
            return total
