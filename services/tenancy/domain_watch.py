"""Looks after proven domains: a proof that is gone for days is no proof any more, and a
certificate that was not ready gets asked about again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from common import logs
from common.context import system_context
from common.periodic import FAULTS, run_periodically
from common.problems import Unavailable
from tenancy import certificates, dns_proof, domains
from tenancy.deps import Deps
from tenancy.queries import applications
from tenancy.queries import domains as rows
from tenancy.queries.domains import Row

log = logs.get(__name__)

EVERY: Final = timedelta(hours=12)
GRACE: Final = timedelta(hours=72)
"""A record lost by mistake can be set again in this time; nothing happens then."""


async def watch(deps: Deps, every: float = 60.0) -> None:
    """For the life of the process."""
    await run_periodically(partial(look_around, deps), every=every, name="domain watch")


async def look_around(deps: Deps) -> None:
    """One round."""
    async with deps.db.everywhere() as db:
        due = await rows.due(db, every=EVERY.total_seconds())
        uncertified = await rows.uncertified(db) if deps.hostnames is not None else []
    for row in due:
        try:
            await recheck(deps, row)
        except FAULTS:
            raise
        except Exception:  # what one tenant's DNS says must never be the end of everybody's watch
            log.exception("domain watch", domain=row.domain)
            async with deps.db.single(system_context(row.app_id)) as db:
                await rows.unsure(db, app_id=row.app_id, id=row.id, last_error="not understood")
    for row in uncertified:
        await certificates.order_quietly(deps, system_context(row.app_id, within=30), row.id)


async def recheck(deps: Deps, row: Row) -> None:
    ctx = system_context(row.app_id, within=30)
    async with deps.db.reading(ctx) as db:
        app = await applications.by_id(db, id=row.app_id)
    if app is None:
        return
    target = deps.hosts.name_of(app.slug)
    try:
        proof = await dns_proof.look(deps.dns, row.domain, row.verification_token, target)
    except Unavailable as error:
        async with deps.db.transaction(ctx) as tx:
            await rows.unsure(tx, app_id=row.app_id, id=row.id, last_error=str(error))
        return
    async with deps.db.transaction(ctx) as tx:
        await domains.saw(tx, row, proof, target)
    if not proof.txt and not row.txt_ok and row.updated_at < datetime.now(UTC) - GRACE:
        await domains.lose(deps, ctx, row)
