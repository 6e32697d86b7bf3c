"""Takes a custom domain from an application whose proof is gone."""

from __future__ import annotations

from common import audit, logs
from common.context import Context
from common.contracts.domains import CustomDomainTaken
from common.events.domains import CustomDomainLost
from common.problems import Problem, Unavailable
from tenancy import certificates, domain_proof
from tenancy.deps import Deps
from tenancy.queries import applications, domains
from tenancy.queries.domains import CustomDomainRow

log = logs.get(__name__)


async def release(deps: Deps, ctx: Context, row: CustomDomainRow) -> None:
    """Makes the domain unverified: the context's application does not answer there any more."""
    async with deps.registry.transaction(ctx) as tx:
        if not await domains.set_unverified(
            tx, app_id=row.app_id, id=row.id, verification_token=domain_proof.new_token()
        ):
            return
        await domains.copy_primary(tx, app_id=row.app_id)
        await audit.record(tx, ctx, CustomDomainLost(domain_id=row.id, domain=row.domain))
    await deps.invalidation.publish(ctx, "application", row.app_id)
    try:
        await certificates.cancel(deps, row)
        async with deps.registry.transaction(ctx) as tx:
            await domains.set_certificate(
                tx, app_id=row.app_id, id=row.id, hostname_id=None, status=None
            )
    except Problem as problem:
        log.warning("hostname left behind", domain_id=row.id, why=problem.code)


async def release_if_unproven(deps: Deps, ctx: Context, domain: str) -> None:
    """Takes the domain from another application, if that one's TXT record is gone.

    Raises CustomDomainTaken if the record is there, or the DNS does not answer.
    """
    async with deps.registry.reader(ctx) as db:
        row = await domains.verified(db, domain=domain)
        if row is None or row.app_id == ctx.app_id:
            return
        owner = await applications.by_id(db, id=row.app_id)
    if owner is None:
        return
    try:
        target = deps.hosts.name_of(owner.slug)
        proof = await domain_proof.look_up(deps.dns, domain, row.verification_token, target)
    except Unavailable:
        raise CustomDomainTaken from None
    if proof.txt:
        raise CustomDomainTaken
    await release(deps, ctx.with_application(row.app_id, owner.home).as_system(), row)
