"""Handles applications: reading and changing them, and entering one as a developer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from common import audit, captcha_secret, conditions
from common.context import Context
from common.contracts.applications import (
    Application,
    ApplicationPatch,
    Applications,
    GetApplication,
    ListApplications,
    UpdateApplication,
)
from common.contracts.tenants import ManageApplication, Managed
from common.db import rebind
from common.events.applications import ApplicationUpdated, OperatorEntered
from tenancy import app_settings, application_access, placeholders
from tenancy.deps import Deps
from tenancy.name_search import searched_words
from tenancy.queries import application_lists, applications, platform_applications
from tenancy.queries.applications import ApplicationRow
from tenancy.tenant_lookup import to_application, to_tenant

READ_PERMISSIONS: Final = [
    "api_keys:read",
    "audit:read",
    "clients:read",
    "domains:read",
    "idps:read",
    "organizations:read",
    "roles:read",
    "settings:read",
    "users:read",
    "webhooks:read",
]
"""The permissions inside the application of a developer with `apps:read` alone."""


async def get(deps: Deps, ctx: Context, request: GetApplication) -> Application:
    """Returns the application. Raises ApplicationNotFound."""
    async with deps.registry.reader(ctx) as db:
        row = await application_access.get(db, ctx, request.slug, "read")
    return to_application(deps.hosts, row)


async def list_(deps: Deps, ctx: Context, request: ListApplications) -> Applications:
    """Returns a page of the applications of the caller's teams, the oldest first.

    An operator sees those of all teams, and finds them by the word that matched. Raises Forbidden outside
    the Dashboard.
    """
    application_access.check_dashboard(ctx)
    teams: list[str] | None = None if ctx.caller.may("apps:read:all") else list(ctx.caller.teams)
    if request.owner_org_id is not None:
        is_visible = teams is None or request.owner_org_id in teams
        teams = [request.owner_org_id] if is_visible else []
    search = (request.search or "").strip()
    if search and teams is None:
        return await _search(deps, ctx, request, search)
    of = f"applications {request.owner_org_id or ''} {search}".rstrip()
    created_at, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    after, limit = (created_at, id), request.limit + 1
    async with deps.registry.reader(ctx) as db:
        words = await searched_words(db, search)
        if teams is None:
            rows = await application_lists.page(db, after=after, limit=limit)
        elif search and not words:
            rows = []
        else:
            rows = await application_lists.page_of_teams(
                db, teams=teams, words=words, after=after, limit=limit
            )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return Applications(applications=[to_application(deps.hosts, row) for row in page], next=next)


async def _search(deps: Deps, ctx: Context, request: ListApplications, search: str) -> Applications:
    """Returns a page of the applications of all teams that have the words."""
    of = f"applications by name {search}"
    key, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.registry.reader(ctx) as db:
        words = await searched_words(db, search)
        if not words:
            return Applications(applications=[], next=None)
        found = await platform_applications.named(
            db, app_id=ctx.app_id, words=words, after=(key, id), without=[], limit=request.limit + 1
        )
        page, next = deps.cursors.page(
            ctx.app_id, of, found, request.limit, key=lambda row: (row.key, row.id)
        )
        rows = await application_lists.of_ids(db, ids=[match.id for match in page])
    row_by_id = {row.id: row for row in rows}
    listed = [row_by_id[match.id] for match in page if match.id in row_by_id]
    return Applications(applications=[to_application(deps.hosts, row) for row in listed], next=next)


async def manage(deps: Deps, ctx: Context, request: ManageApplication) -> Managed:
    """Returns the application as a tenant, and what the developer may do in it.

    Raises Forbidden outside the Dashboard, ApplicationNotFound.
    """
    application_access.check_dashboard(ctx)
    async with deps.registry.reader(ctx) as db:
        row = await application_access.get(db, ctx, request.slug, "read")
        writes = ctx.caller.may("apps:write") and await application_access.may_write(db, ctx, row)
    if application_access.is_operator_access(ctx, row):
        deps.activity.note(ctx, OperatorEntered(application_id=row.id, slug=row.slug))
    return Managed(
        tenant=to_tenant(deps.hosts, row), permissions=["*"] if writes else READ_PERMISSIONS
    )


async def update(deps: Deps, ctx: Context, request: UpdateApplication) -> Application:
    """Changes the fields that the request contains.

    Raises ApplicationNotFound, Forbidden, Invalid.
    """
    async with deps.registry.transaction(ctx) as tx:
        row = await application_access.get_for_update(tx, ctx, request.slug)
        conditions.check(to_application(deps.hosts, row))
        changed, fields = _patched(row, request.changes)
        inside = application_access.inside(ctx, row.id, row.home)
        if fields:
            await rebind(tx, row.id)
            async with placeholders.at_home(deps, tx, inside) as home:
                settings = await captcha_secret.sealed(
                    deps.sealer, home, row.id, stored=row.settings, settings=changed.settings
                )
            await applications.update(tx, replace(changed, settings=settings))
            await audit.record(tx, inside, ApplicationUpdated(fields=fields))
    if fields:
        await placeholders.try_complete(deps, inside)
    await deps.invalidation.publish(inside, "application", row.id)
    async with deps.registry.reader(ctx) as db:
        row = await application_access.get(db, ctx, request.slug, "write")
    return to_application(deps.hosts, row)


def _patched(row: ApplicationRow, changes: ApplicationPatch) -> tuple[ApplicationRow, list[str]]:
    """Returns the row with the changes, and the names of the fields that differ."""
    fields: dict[str, Any] = changes.model_dump(exclude_unset=True, exclude={"settings"})
    settings, changed = app_settings.merged(row.settings, changes.settings)
    names = [name for name, value in fields.items() if getattr(row, name) != value]
    return replace(row, **fields, settings=settings), [
        *names,
        *(f"settings.{name}" for name in changed),
    ]
