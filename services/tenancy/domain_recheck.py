"""Looks verified domains up again, and asks again for certificates that are not ready.

A domain whose TXT record is missing for three days is not verified any more.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from common import clock, logs
from common.context import system_context
from common.periodic import FAULTS, run_periodically
from common.problems import Unavailable
from tenancy import certificates, domain_loss, domain_proof
from tenancy.deps import Deps
from tenancy.queries import applications, domain_checks
from tenancy.queries.domains import CustomDomainRow

log = logs.get(__name__)

EVERY: Final = timedelta(hours=12)
GRACE: Final = timedelta(hours=72)
"""How long a record may be missing. Its owner can set it again in this time."""


async def run(deps: Deps, every: float = 60.0) -> None:
    """Rechecks what is due every `every` seconds, for the life of the process."""
    await run_periodically(partial(recheck_due, deps), every=every, name="domain recheck")


async def recheck_due(deps: Deps) -> None:
    """Rechecks all domains that are due, and orders the certificates that are missing."""
    async with deps.registry.unbound_transaction() as db:
        due = await domain_checks.due(db, every=EVERY.total_seconds())
        uncertified = (
            await domain_checks.without_certificate(db) if deps.hostnames is not None else []
        )
    for row in due:
        try:
            await recheck(deps, row)
        except FAULTS:
            raise
        except Exception:  # an odd answer for one tenant's domain must not stop the others' recheck
            log.exception("domain recheck", domain=row.domain)
            async with deps.registry.autocommit(system_context(row.app_id)) as db:
                await domain_checks.set_error(
                    db, app_id=row.app_id, id=row.id, last_error="the DNS answer is not understood"
                )
    for row in uncertified:
        await certificates.try_order(deps, system_context(row.app_id, within=30), row.id)


async def recheck(deps: Deps, row: CustomDomainRow) -> None:
    """Looks one domain up, and takes it from its application if the proof was missing too long."""
    ctx = system_context(row.app_id, within=30)
    async with deps.registry.reader(ctx) as db:
        application = await applications.by_id(db, id=row.app_id)
    if application is None:
        return
    ctx = ctx.with_home(application.home)
    target = deps.hosts.name_of(application.slug)
    try:
        proof = await domain_proof.look_up(deps.dns, row.domain, row.verification_token, target)
    except Unavailable as error:
        async with deps.registry.transaction(ctx) as tx:
            await domain_checks.set_error(tx, app_id=row.app_id, id=row.id, last_error=str(error))
        return
    async with deps.registry.transaction(ctx) as tx:
        await domain_proof.store(tx, row, proof, target)
    if not proof.txt and not row.txt_ok and row.updated_at < clock.utc_now() - GRACE:
        await domain_loss.release(deps, ctx, row)
