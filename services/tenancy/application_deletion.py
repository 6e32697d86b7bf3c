"""Handles the deletion of applications."""

from __future__ import annotations

import asyncio
from typing import Final

from common import audit, conditions, logs
from common.context import Context
from common.contracts.applications import (
    ApplicationMoving,
    DashboardStays,
    DeleteApplication,
    DeletionNotConfirmed,
)
from common.contracts.base import Done
from common.events.applications import ApplicationDeleted
from common.homes import MAIN
from common.problems import Problem
from tenancy import application_access, certificates, placeholders
from tenancy.deps import Deps
from tenancy.placeholders import ROWS_TIMEOUT
from tenancy.queries import application_moves, applications, deleted_slugs, domains
from tenancy.queries import placeholders as placeholder_rows
from tenancy.tenant_lookup import to_application

log = logs.get(__name__)

REPLY_TIME: Final = 0.5
"""Seconds of the call that are kept for the reply."""


async def delete(deps: Deps, ctx: Context, request: DeleteApplication) -> Done:
    """Deletes an application.

    After the first commit the application is gone for everybody: no host, key or team finds it.
    Its rows are deleted in one transaction of their own, in this call or later by the sweep. The
    Dashboard's audit log keeps who deleted it. Raises Forbidden, ApplicationNotFound,
    DashboardStays, DeletionNotConfirmed, ApplicationMoving.
    """
    application_access.check_dashboard(ctx)
    async with deps.registry.transaction(ctx) as tx:
        row = await application_access.get_for_update(tx, ctx, request.slug)
        conditions.check(to_application(deps.hosts, row))
        if row.is_dashboard:
            raise DashboardStays
        if request.confirm != row.slug:
            raise DeletionNotConfirmed
        if await application_moves.is_moving(tx, id=row.id):
            raise ApplicationMoving
        await applications.mark_deleting(tx, id=row.id)
        await deleted_slugs.insert(tx, slug=row.slug, days=deps.slug_quarantine_days)
        await audit.record(tx, ctx, ApplicationDeleted(application_id=row.id, slug=row.slug))
    await deps.invalidation.publish(ctx.with_application(row.id, row.home), "application", row.id)
    try:
        async with asyncio.timeout(ctx.remaining() - REPLY_TIME):
            await finish(deps, ctx.with_application(row.id, row.home))
    except (TimeoutError, Problem) as error:
        log.info("deletion continues later", app_id=row.id, error=type(error).__name__)
    return Done()


async def finish(deps: Deps, ctx: Context) -> None:
    """Deletes what the context's application has outside the database, and then all its rows.

    Safe to repeat: the rows go last, because they say what is left elsewhere. Raises Unavailable.
    """
    async with deps.registry.reader(ctx) as db:
        rows = await domains.of_application(db, app_id=ctx.app_id)
    for row in rows:
        await certificates.cancel(deps, row)
    if deps.streams is not None:
        await deps.streams.purge(ctx.app_id, ctx.home)
    await placeholders.delete(deps, ctx)
    async with deps.registry.transaction(ctx) as tx:
        await applications.delete_all_rows(tx, id=ctx.app_id, within=ROWS_TIMEOUT)
        if ctx.home != MAIN:
            await placeholder_rows.forget_home(tx, home=ctx.home)
    deps.sealer.forget(ctx.app_id)
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
