"""The edge network's part of a custom domain, where there is one."""

from __future__ import annotations

from typing import Final

from common import logs
from common.context import Context
from common.problems import Problem
from tenancy.cloudflare import HostnameRefused
from tenancy.deps import Deps
from tenancy.queries import domains
from tenancy.queries.domains import Row

log = logs.get(__name__)

REFUSED: Final = "refused"


async def order(deps: Deps, ctx: Context, id: str) -> None:
    """Announce a proven domain, or see how far its certificate is. Safe to repeat."""
    if deps.hostnames is None:
        return
    async with deps.db.reading(ctx) as db:
        row = await domains.by_id(db, app_id=ctx.app_id, id=id)
    if row is None or row.verified_at is None:
        return
    known = row.cf_custom_hostname_id
    found = await deps.hostnames.poll(known) if known else None
    hostname_id, status = (found.id, found.status) if found else (None, "")
    if found is None:
        try:
            made = await deps.hostnames.create(row.domain)
            hostname_id, status = made.id, made.status
        except HostnameRefused as error:
            status = f"{REFUSED}: {error}"
    async with deps.db.transaction(ctx) as tx:
        await domains.certificate(
            tx, app_id=ctx.app_id, id=id, hostname_id=hostname_id, status=status
        )
        await domains.follow_primary(tx, app_id=ctx.app_id)


async def order_quietly(deps: Deps, ctx: Context, id: str) -> None:
    """Where the network does not answer the sweep tries again."""
    try:
        await order(deps, ctx, id)
    except Problem as problem:
        log.warning("hostname not announced", domain_id=id, why=problem.code)


async def cancel(deps: Deps, row: Row) -> None:
    if deps.hostnames is not None and row.cf_custom_hostname_id is not None:
        await deps.hostnames.delete(row.cf_custom_hostname_id)
