"""Handles the transfer of an application to another team."""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.applications import (
    Application,
    ApplicationNotFound,
    DashboardStays,
    TransferApplication,
)
from common.db import Db
from common.db_errors import violated_constraint
from common.events.applications import ApplicationTransferred
from common.field_errors import field_error
from common.problems import Invalid
from tenancy import application_access, platform_settings
from tenancy.deps import Deps
from tenancy.queries import applications
from tenancy.queries.applications import OWNER_CONSTRAINT, ApplicationRow
from tenancy.tenant_lookup import to_application


async def transfer(deps: Deps, ctx: Context, request: TransferApplication) -> Application:
    """Gives the application to another team.

    Raises Forbidden, ApplicationNotFound, DashboardStays, ApplicationLimitReached, Invalid for a
    team that the caller may not choose.
    """
    application_access.check_dashboard(ctx)
    try:
        async with deps.registry.transaction(ctx) as tx:
            row = await application_access.get_for_update(tx, ctx, request.slug)
            await _set_owner(tx, ctx, row, request.owner_org_id)
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) != OWNER_CONSTRAINT:
            raise
        raise Invalid(errors=[field_error("owner_org_id", "team_unknown")]) from None
    await deps.invalidation.publish(ctx.with_application(row.id, row.home), "application", row.id)
    async with deps.registry.reader(ctx) as db:
        # By id: the caller may not see the application any more.
        moved = await applications.by_id(db, id=row.id)
    if moved is None:
        raise ApplicationNotFound
    return to_application(deps.hosts, moved)


async def _set_owner(tx: Db, ctx: Context, row: ApplicationRow, org_id: str) -> None:
    if row.is_dashboard:
        raise DashboardStays
    if not ctx.caller.may("apps:write:all"):
        if org_id not in ctx.caller.teams:
            raise Invalid(errors=[field_error("owner_org_id", "team_foreign")])
        if org_id not in await application_access.writable_teams(tx, ctx):
            raise application_access.read_only_role()
    if org_id == row.owner_org_id:
        return
    await platform_settings.check_limit(tx, ctx, org_id)
    await applications.set_owner(tx, id=row.id, owner_org_id=org_id)
    event = ApplicationTransferred(
        application_id=row.id, from_org_id=row.owner_org_id, to_org_id=org_id
    )
    await audit.record(tx, ctx, event)
