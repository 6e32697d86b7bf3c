"""Applications: making, finding and listing them."""

from __future__ import annotations

from typing import Final

import asyncpg

from common import audit, logs
from common.context import Context
from common.contracts.api_keys import NewApiKey
from common.contracts.applications import (
    Application,
    Applications,
    CreateApplication,
    EnsureApplication,
    GetApplication,
    ListApplications,
    NewApplication,
    SlugTaken,
)
from common.contracts.tenants import ManageApplication, Managed
from common.db import Db, rebind
from common.db_errors import violated_constraint
from common.events.applications import ApplicationCreated, OperatorEntered
from common.field_errors import field_error
from common.ids import DASHBOARD, new_id
from common.problems import Invalid, Problem, Unavailable
from tenancy import application_access, provisioning, slugs
from tenancy.deps import Deps
from tenancy.queries import applications, deleted_slugs
from tenancy.tenants import application, tenant

log = logs.get(__name__)

OWNER_CONSTRAINT: Final = "applications_owner_org_id_fkey"

READING: Final = [
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
"""What a developer with `apps:read` alone may do inside the application."""


async def create(deps: Deps, ctx: Context, new: CreateApplication) -> NewApplication:
    application_access.from_dashboard(ctx)
    async with deps.db.reading(ctx) as db:
        owner = _owner(ctx, new.owner_org_id, await application_access.writable_teams(db, ctx))
    wanted = _chosen_slug(ctx, new.slug)
    app_id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            keys = await _insert(deps, tx, ctx, app_id, wanted, new.name, owner)
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) != OWNER_CONSTRAINT:
            raise
        raise Invalid(errors=[field_error("owner_org_id", "team_unknown")]) from None
    return await _finished(deps, ctx.of(app_id), keys)


async def ensure(deps: Deps, ctx: Context, wanted: EnsureApplication) -> NewApplication:
    async with deps.db.reading(ctx) as db:
        found = await applications.by_slug(db, slug=wanted.slug)
    if found is not None:
        return await _finished(deps, ctx.of(found.id), [])
    try:
        new = CreateApplication(name=wanted.name, slug=wanted.slug)
        return await create(deps, ctx.of(DASHBOARD), new)
    except SlugTaken:
        async with deps.db.reading(ctx) as db:  # made by somebody else in the meantime
            found = await applications.by_slug(db, slug=wanted.slug)
        if found is None:
            raise
        return await _finished(deps, ctx.of(found.id), [])


async def get(deps: Deps, ctx: Context, request: GetApplication) -> Application:
    async with deps.db.reading(ctx) as db:
        row = await application_access.find(db, ctx, request.slug, "read")
    return application(deps.hosts, row)


async def list_(deps: Deps, ctx: Context, request: ListApplications) -> Applications:
    application_access.from_dashboard(ctx)
    teams: list[str] | None = None if ctx.caller.may("apps:read:all") else list(ctx.caller.teams)
    if request.owner_org_id is not None:
        mine = teams is None or request.owner_org_id in teams
        teams = [request.owner_org_id] if mine else []
    of = f"applications {request.owner_org_id or ''}"
    created_at, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        after, limit = (created_at, id), request.limit + 1
        if teams is None:
            rows = await applications.page(db, after=after, limit=limit)
        else:
            rows = await applications.page_of_teams(db, teams=teams, after=after, limit=limit)
    shown, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, lambda row: (row.created_at, row.id)
    )
    return Applications(applications=[application(deps.hosts, row) for row in shown], next=next)


async def manage(deps: Deps, ctx: Context, request: ManageApplication) -> Managed:
    application_access.from_dashboard(ctx)
    async with deps.db.reading(ctx) as db:
        row = await application_access.find(db, ctx, request.slug, "read")
        writes = ctx.caller.may("apps:write") and await application_access.writes(db, ctx, row)
    if application_access.bypasses(ctx, row):
        deps.activity.note(ctx, OperatorEntered(application_id=row.id, slug=row.slug))
    return Managed(tenant=tenant(deps.hosts, row), permissions=["*"] if writes else READING)


async def _insert(
    deps: Deps,
    tx: Db,
    ctx: Context,
    app_id: str,
    wanted: str | None,
    name: str,
    owner: str | None,
) -> list[NewApiKey]:
    for slug in slugs.candidates() if wanted is None else (wanted,):
        if await applications.insert(
            tx, id=app_id, slug=slug, name=name, owner_org_id=owner, settings={}
        ):
            if not await deleted_slugs.quarantined(tx, slug=slug):
                break
            await applications.undo_insert(tx, id=app_id)
    else:
        raise SlugTaken(f"{wanted} is in use or was not long ago" if wanted else "")
    await audit.record(tx, ctx, ApplicationCreated(application_id=app_id, slug=slug))
    await rebind(tx, app_id)
    return await provisioning.first_keys(deps, tx, application_access.inside(ctx, app_id))


async def _finished(deps: Deps, ctx: Context, keys: list[NewApiKey]) -> NewApplication:
    """Go through the chain. Where a service is away the sweep will go on: nothing is lost."""
    try:
        await provisioning.complete(deps, ctx)
    except Problem as problem:
        log.info("application unfinished", app_id=ctx.app_id, why=problem.code)
    async with deps.db.reading(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None:
        raise Unavailable("the application is gone again")
    return NewApplication(**application(deps.hosts, row).model_dump(), api_keys=keys)


def _owner(ctx: Context, request: str | None, writable: frozenset[str]) -> str | None:
    """The team that shall own it. Only the system and operators may name another, or none."""
    who = ctx.caller
    if who.kind == "system" or request in writable:
        return request
    if request is None and len(writable) == 1:
        return next(iter(writable))
    if request is None and who.org_id in writable:
        return who.org_id
    if who.may("apps:write:all") and (request is not None or not who.teams):
        return request
    if request in who.teams or (request is None and who.teams and not writable):
        raise application_access.reads_only()
    code = "team_foreign"
    if request is None:
        code = "team_unchosen" if writable else "team_required"
    raise Invalid(errors=[field_error("owner_org_id", code)])


def _chosen_slug(ctx: Context, request: str | None) -> str | None:
    if request is None:
        return None
    if ctx.caller.kind != "system" and not ctx.caller.may("platform:manage"):
        raise Invalid(errors=[field_error("slug", "slug_not_selectable")])
    flaw = slugs.flaw(request)
    if flaw is not None:
        raise Invalid(errors=[field_error("slug", flaw)])
    return request
