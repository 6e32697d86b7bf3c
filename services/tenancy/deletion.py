"""The end of an application: whatever it has outside the database, then all its rows at once."""

from __future__ import annotations

from typing import Final

from common.context import Context
from tenancy import certificates
from tenancy.deps import Deps
from tenancy.queries import applications, domains

PATIENCE: Final = 3600.0
"""Seconds that the rows of a very large application may take."""


async def delete_application(deps: Deps, ctx: Context) -> None:
    """Safe to do again: it takes up where it was cut off. The rows go last, because they say what
    is left elsewhere."""
    async with deps.db.reading(ctx) as db:
        claimed = await domains.all_of(db, app_id=ctx.app_id)
    for row in claimed:
        await certificates.cancel(deps, row)
    if deps.streams is not None:
        await deps.streams.forget(ctx.app_id)
    async with deps.db.transaction(ctx) as tx:
        await applications.delete_all_rows(tx, id=ctx.app_id, within=PATIENCE)
    deps.sealer.forget(ctx.app_id)
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
