"""Looks the verified e-mail domains of organizations up again, once a day.

As soon as the TXT record is missing, nobody joins by the domain. If it is missing for three days, the
domain is no longer verified.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from common import audit, logs
from common.context import system_context
from common.events.organizations import OrgDomainLost
from common.periodic import FAULTS, run_periodically
from common.problems import Unavailable
from tenancy.deps import Deps
from tenancy.org_domains import LABEL, MARK
from tenancy.queries import org_domain_checks
from tenancy.queries.org_domain_checks import DueDomain

log = logs.get(__name__)

EVERY: Final = timedelta(hours=24)
GRACE: Final = timedelta(hours=72)
"""How long a record may be missing. The organization can set it again in this time."""


async def run(deps: Deps, every: float = 60.0) -> None:
    """Rechecks what is due every `every` seconds, for the life of the process."""
    await run_periodically(partial(recheck_due, deps), every=every, name="org domain recheck")


async def recheck_due(deps: Deps) -> None:
    """Rechecks all domains that are due. A domain whose DNS does not answer waits a day."""
    async with deps.upkeep_db.unbound_transaction() as db:
        due = await org_domain_checks.claim(db, every=EVERY.total_seconds())
    for domain in due:
        try:
            await recheck(deps, domain)
        except FAULTS:
            raise
        except Exception:  # an odd answer for one tenant's domain must not stop the others' recheck
            log.exception("org domain recheck", domain=domain.domain)


async def recheck(deps: Deps, domain: DueDomain) -> None:
    """Looks one domain up. A DNS that does not answer says nothing about the proof."""
    ctx = system_context(domain.app_id, within=30, home=deps.db.home)
    try:
        texts = await deps.dns.txt(f"{LABEL}.{domain.domain}")
    except Unavailable:
        return
    async with deps.db.transaction(ctx) as tx:
        if f"{MARK}{domain.verification_token}" in texts:
            await org_domain_checks.set_present(tx, app_id=ctx.app_id, id=domain.id)
        elif await org_domain_checks.set_missing(
            tx, app_id=ctx.app_id, id=domain.id, grace=GRACE.total_seconds()
        ):
            event = OrgDomainLost(org_id=domain.org_id, domain=domain.domain)
            await audit.record(tx, ctx, event)
