"""Handles the creation of applications."""

from __future__ import annotations

import asyncpg

from common import audit, logs
from common.context import Context
from common.contracts.api_keys import NewApiKey
from common.contracts.applications import (
    ApplicationExists,
    CreateApplication,
    EnsureApplication,
    NewApplication,
    SlugTaken,
)
from common.contracts.platform_settings import ApplicationLimitReached
from common.db import Db, rebind
from common.db_errors import violated_constraint
from common.events.applications import ApplicationCreated
from common.field_errors import field_error
from common.homes import MAIN
from common.ids import DASHBOARD, new_id
from common.problems import Invalid, Problem, Unavailable
from tenancy import application_access, platform_settings, provisioning, slugs
from tenancy.deps import Deps
from tenancy.queries import applications, deleted_slugs, placeholders
from tenancy.queries import platform_settings as defaults
from tenancy.queries.applications import OWNER_CONSTRAINT, REQUEST_CONSTRAINT
from tenancy.request_keys import request_key
from tenancy.tenant_lookup import to_application

log = logs.get(__name__)


async def create(deps: Deps, ctx: Context, request: CreateApplication) -> NewApplication:
    """Creates an application with its first two API keys, and completes it if possible.

    It starts with the settings that the platform has for new ones. Raises Forbidden outside the
    Dashboard, Invalid, SlugTaken, ApplicationExists, ApplicationLimitReached.
    """
    application_access.check_dashboard(ctx)
    async with deps.registry.reader(ctx) as db:
        writable = await application_access.writable_teams(db, ctx)
    owner = _owner(ctx, request.owner_org_id, writable)
    slug = _chosen_slug(ctx, request.slug)
    home = _chosen_home(deps, ctx, request.home)
    app_id, key = new_id(), request_key(ctx, request.request_id)
    try:
        async with deps.registry.transaction(ctx) as tx:
            await platform_settings.check_limit(tx, ctx, owner)
            slug = await _insert(
                tx, slug, app_id=app_id, name=request.name, owner=owner, key=key, home=home
            )
            await audit.record(tx, ctx, ApplicationCreated(application_id=app_id, slug=slug))
            await rebind(tx, app_id)
            keys = await provisioning.create_first_keys(
                deps, tx, application_access.inside(ctx, app_id, home)
            )
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) != OWNER_CONSTRAINT:
            raise
        raise Invalid(errors=[field_error("owner_org_id", "team_unknown")]) from None
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != REQUEST_CONSTRAINT:
            raise
        raise ApplicationExists(slug=await _slug_of(deps, ctx, key)) from None
    except ApplicationLimitReached:  # a repeat is told so, also if its first time filled the team
        existing = await _slug_of(deps, ctx, key)
        if existing is None:
            raise
        raise ApplicationExists(slug=existing) from None
    return await _complete(deps, ctx.with_application(app_id, home), keys)


async def _slug_of(deps: Deps, ctx: Context, key: str | None) -> str | None:
    """Returns the slug of the application that this request has created before, or None."""
    if key is None:
        return None
    async with deps.registry.reader(ctx) as db:
        return await applications.slug_of_request(db, request_key=key)


async def ensure(deps: Deps, ctx: Context, request: EnsureApplication) -> NewApplication:
    """Returns the application with this slug, and creates it if it does not exist.

    API keys are returned only for a new application. Raises SlugTaken.
    """
    async with deps.registry.reader(ctx) as db:
        row = await applications.by_slug(db, slug=request.slug)
    if row is not None:
        return await _complete(deps, ctx.with_application(row.id, row.home), [])
    try:
        new = CreateApplication(name=request.name, slug=request.slug)
        return await create(deps, ctx.with_application(DASHBOARD), new)
    except SlugTaken:
        async with deps.registry.reader(ctx) as db:  # another call may have created it meanwhile
            row = await applications.by_slug(db, slug=request.slug)
        if row is None:
            raise
        return await _complete(deps, ctx.with_application(row.id, row.home), [])


async def _insert(
    tx: Db,
    chosen_slug: str | None,
    *,
    app_id: str,
    name: str,
    owner: str | None,
    key: str | None,
    home: str,
) -> str:
    """Inserts the application. Returns its slug. Raises SlugTaken."""
    settings = (await defaults.get(tx, app_id=DASHBOARD)).new_applications
    for slug in slugs.candidates() if chosen_slug is None else (chosen_slug,):
        if await applications.insert(
            tx,
            id=app_id,
            slug=slug,
            name=name,
            owner_org_id=owner,
            request_key=key,
            settings=settings,
            home=home,
        ):
            if not await deleted_slugs.exists(tx, slug=slug):
                if home != MAIN:
                    await placeholders.note_home(tx, home=home)
                return slug
            await applications.delete_new(tx, id=app_id)
    raise SlugTaken(f"{chosen_slug} is in use, or was in use recently" if chosen_slug else "")


async def _complete(deps: Deps, ctx: Context, keys: list[NewApiKey]) -> NewApplication:
    """Creates the application's other parts. If a service is away, the sweep does it later."""
    try:
        await provisioning.complete(deps, ctx)
    except Problem as problem:
        log.info("application unfinished", app_id=ctx.app_id, why=problem.code)
    async with deps.registry.reader(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None:
        raise Unavailable("the application was deleted meanwhile")
    return NewApplication(**to_application(deps.hosts, row).model_dump(), api_keys=keys)


def _owner(ctx: Context, org_id: str | None, writable: frozenset[str]) -> str | None:
    """Returns the team that will own the application.

    Only the system and operators may name a team that is not theirs, or none. Raises Invalid,
    Forbidden.
    """
    caller = ctx.caller
    if caller.kind == "system" or org_id in writable:
        return org_id
    if org_id is None and len(writable) == 1:
        return next(iter(writable))
    if org_id is None and caller.org_id in writable:
        return caller.org_id
    if caller.may("apps:write:all") and (org_id is not None or not caller.teams):
        return org_id
    if org_id in caller.teams or (org_id is None and caller.teams and not writable):
        raise application_access.read_only_role()
    code = "team_foreign"
    if org_id is None:
        code = "team_unchosen" if writable else "team_required"
    raise Invalid(errors=[field_error("owner_org_id", code)])


def _chosen_slug(ctx: Context, slug: str | None) -> str | None:
    """Returns the slug of the request, or None. Raises Invalid."""
    if slug is None:
        return None
    if ctx.caller.kind != "system" and not ctx.caller.may("platform:manage"):
        raise Invalid(errors=[field_error("slug", "slug_not_selectable")])
    flaw = slugs.flaw(slug)
    if flaw is not None:
        raise Invalid(errors=[field_error("slug", flaw)])
    return slug


def _chosen_home(deps: Deps, ctx: Context, home: str | None) -> str:
    """Returns the cluster of the request, or that of new applications. Raises Invalid."""
    if home is None:
        return deps.new_applications_home
    if ctx.caller.kind != "system" and not ctx.caller.may("platform:manage"):
        raise Invalid(errors=[field_error("home", "home_not_selectable")])
    if home not in {each.home for each in deps.db.everywhere()}:
        raise Invalid(errors=[field_error("home", "home_unknown")])
    return home
