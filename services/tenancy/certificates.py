"""Orders certificates for custom domains from Cloudflare, if the deployment uses it."""

from __future__ import annotations

from typing import Final

from common import logs
from common.context import Context
from common.problems import Problem
from tenancy.cloudflare import HostnameRefused
from tenancy.deps import Deps
from tenancy.queries import domains
from tenancy.queries.domains import CustomDomainRow

log = logs.get(__name__)

REFUSED: Final = "refused"


async def order(deps: Deps, ctx: Context, id: str) -> None:
    """Announces a verified domain, or stores how far its certificate is. Safe to repeat.

    Raises Unavailable.
    """
    if deps.hostnames is None:
        return
    async with deps.registry.reader(ctx) as db:
        row = await domains.by_id(db, app_id=ctx.app_id, id=id)
    if row is None or row.verified_at is None:
        return
    known_id = row.cf_custom_hostname_id
    hostname = await deps.hostnames.poll(known_id) if known_id else None
    refusal = ""
    if hostname is None:
        try:
            hostname = await deps.hostnames.create(row.domain)
        except HostnameRefused as error:
            refusal = f"{REFUSED}: {error}"
    async with deps.registry.transaction(ctx) as tx:
        await domains.set_certificate(
            tx,
            app_id=ctx.app_id,
            id=id,
            hostname_id=hostname.id if hostname else None,
            status=hostname.status if hostname else refusal,
        )
        await domains.copy_primary(tx, app_id=ctx.app_id)


async def try_order(deps: Deps, ctx: Context, id: str) -> None:
    """Orders the certificate. If Cloudflare does not answer, the recheck tries again."""
    try:
        await order(deps, ctx, id)
    except Problem as problem:
        log.warning("hostname not announced", domain_id=id, why=problem.code)


async def cancel(deps: Deps, row: CustomDomainRow) -> None:
    """Withdraws the domain, if it was announced. Raises Unavailable."""
    if deps.hostnames is not None and row.cf_custom_hostname_id is not None:
        await deps.hostnames.delete(row.cf_custom_hostname_id)
