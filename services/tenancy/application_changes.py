"""Applications: changing, handing over and deleting them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

import asyncpg

from common import audit, captcha_secret, logs
from common.context import Context
from common.contracts.applications import (
    Application,
    ApplicationNotFound,
    ApplicationPatch,
    DashboardStays,
    DeleteApplication,
    DeletionNotConfirmed,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.base import Done
from common.db import Db, rebind
from common.db_errors import violated_constraint
from common.events.applications import (
    ApplicationDeleted,
    ApplicationTransferred,
    ApplicationUpdated,
)
from common.field_errors import field_error
from common.problems import Invalid, Problem
from tenancy import app_settings, application_access, deletion
from tenancy.applications import OWNER_CONSTRAINT
from tenancy.deps import Deps
from tenancy.queries import applications, deleted_slugs
from tenancy.queries.applications import Row
from tenancy.tenants import application

log = logs.get(__name__)

REPLY: Final = 0.5
"""Seconds kept to answer in."""


async def update(deps: Deps, ctx: Context, request: UpdateApplication) -> Application:
    async with deps.db.transaction(ctx) as tx:
        row = await _held(tx, ctx, request.slug)
        changed, fields = _patched(row, request.changes)
        inside = application_access.inside(ctx, row.id)
        if fields:
            await rebind(tx, row.id)
            settings = await captcha_secret.sealed(
                deps.sealer, tx, row.id, row.settings, changed.settings
            )
            await applications.update(tx, replace(changed, settings=settings))
            await audit.record(tx, inside, ApplicationUpdated(fields=fields))
    await deps.invalidation.publish(inside, "application", row.id)
    return await _as_it_is(deps, ctx, request.slug)


async def transfer(deps: Deps, ctx: Context, request: TransferApplication) -> Application:
    application_access.from_dashboard(ctx)
    try:
        async with deps.db.transaction(ctx) as tx:
            row = await _handed_over(tx, ctx, request)
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) != OWNER_CONSTRAINT:
            raise
        raise Invalid(errors=[field_error("owner_org_id", "team_unknown")]) from None
    await deps.invalidation.publish(ctx.of(row.id), "application", row.id)
    async with deps.db.reading(ctx) as db:
        moved = await applications.by_id(db, id=row.id)  # it need not be the caller's any more
    if moved is None:
        raise ApplicationNotFound
    return application(deps.hosts, moved)


async def _handed_over(tx: Db, ctx: Context, request: TransferApplication) -> Row:
    row = await _held(tx, ctx, request.slug)
    if row.is_dashboard:
        raise DashboardStays
    if not ctx.caller.may("apps:write:all"):
        if request.owner_org_id not in ctx.caller.teams:
            raise Invalid(errors=[field_error("owner_org_id", "team_foreign")])
        if request.owner_org_id not in await application_access.writable_teams(tx, ctx):
            raise application_access.reads_only()
    if request.owner_org_id == row.owner_org_id:
        return row
    await applications.hand_over(tx, id=row.id, owner_org_id=request.owner_org_id)
    handed = ApplicationTransferred(
        application_id=row.id, from_org_id=row.owner_org_id, to_org_id=request.owner_org_id
    )
    await audit.record(tx, ctx, handed)
    return row


async def delete(deps: Deps, ctx: Context, request: DeleteApplication) -> Done:
    """With the first commit it is gone for everybody: no host, no key, no team finds it. Its rows
    go in one transaction of their own, now or, where they are too many for one request, in the
    sweep. The Dashboard's log keeps that it was, and who deleted it."""
    application_access.from_dashboard(ctx)
    async with deps.db.transaction(ctx) as tx:
        row = await _held(tx, ctx, request.slug)
        if row.is_dashboard:
            raise DashboardStays
        if request.confirm != row.slug:
            raise DeletionNotConfirmed
        await applications.mark_deleting(tx, id=row.id)
        await deleted_slugs.quarantine(tx, slug=row.slug, days=deps.slug_quarantine_days)
        await audit.record(tx, ctx, ApplicationDeleted(application_id=row.id, slug=row.slug))
    await deps.invalidation.publish(ctx.of(row.id), "application", row.id)
    try:
        async with asyncio.timeout(ctx.remaining() - REPLY):
            await deletion.delete_application(deps, ctx.of(row.id))
    except (TimeoutError, Problem) as error:
        log.info("demolition goes on later", app_id=row.id, error=type(error).__name__)
    return Done()


async def _held(tx: Db, ctx: Context, slug: str) -> Row:
    return await application_access.check(
        tx, ctx, await applications.locked(tx, slug=slug), "write"
    )


async def _as_it_is(deps: Deps, ctx: Context, slug: str) -> Application:
    async with deps.db.reading(ctx) as db:
        row = await application_access.find(db, ctx, slug, "write")
    return application(deps.hosts, row)


def _patched(row: Row, changes: ApplicationPatch) -> tuple[Row, list[str]]:
    """The row as it shall be, and the names of what differs."""
    given: dict[str, Any] = changes.model_dump(exclude_unset=True, exclude={"settings"})
    settings, changed = app_settings.merged(row.settings, changes.settings)
    fields = [name for name, value in given.items() if getattr(row, name) != value]
    return replace(row, **given, settings=settings), [
        *fields,
        *(f"settings.{name}" for name in changed),
    ]
