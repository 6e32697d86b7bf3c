"""APIs that tokens are for (RFC 8707), and the application's own scopes."""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.clients import (
    CreateResource,
    CreateScope,
    DeleteResource,
    DeleteScope,
    ListResources,
    ListScopes,
    Resource,
    ResourceNotFound,
    Resources,
    ResourceTaken,
    Scope,
    ScopeNotFound,
    Scopes,
    ScopeTaken,
    UnknownPermission,
)
from common.db import violated
from common.events.resources import ScopeChanged
from common.ids import new_id
from common.problems import Forbidden, Invalid
from oidc import addresses, keys
from oidc.claims import STANDARD
from oidc.deps import Deps
from oidc.queries import scopes
from oidc.scopes import CLAIMS


async def create_resource(deps: Deps, ctx: Context, new: CreateResource) -> Resource:
    if not addresses.is_uri(new.identifier):
        message = "is not an absolute URI without fragment (RFC 8707 section 2)"
        raise Invalid(errors=[{"field": "identifier", "message": message}])
    if new.access_token_alg is not None:
        await keys.signing(deps, ctx, new.access_token_alg)
    try:
        async with deps.db.transaction(ctx) as tx:
            made = await scopes.insert_resource(
                tx,
                app_id=ctx.app_id,
                id=new_id(),
                identifier=new.identifier,
                name=new.name,
                access_token_lifetime=new.access_token_lifetime,
                access_token_alg=new.access_token_alg,
            )
            await audit.record(tx, ctx, ScopeChanged(name=new.identifier, change="created"))
    except asyncpg.UniqueViolationError:
        raise ResourceTaken from None
    await _changed(deps, ctx)
    return made


async def list_resources(deps: Deps, ctx: Context, _: ListResources) -> Resources:
    async with deps.db.reading(ctx) as db:
        return Resources(resources=await scopes.resources(db, app_id=ctx.app_id))


async def delete_resource(deps: Deps, ctx: Context, asked: DeleteResource) -> Done:
    async with deps.db.transaction(ctx) as tx:
        if not await scopes.delete_resource(tx, app_id=ctx.app_id, id=asked.id):
            raise ResourceNotFound
        await audit.record(tx, ctx, ScopeChanged(name=asked.id, change="deleted"))
    await _changed(deps, ctx)
    return Done()


async def create_scope(deps: Deps, ctx: Context, new: CreateScope) -> Scope:
    """Raises Forbidden for a permission that the caller does not hold: he could give it away."""
    if new.name in CLAIMS:
        raise ScopeTaken("this scope has its meaning in OpenID Connect")
    unknown = sorted(set(new.claims) - STANDARD)
    if unknown:
        message = f"{unknown[0][:60]} is no standard claim"
        raise Invalid(errors=[{"field": "claims", "message": message}])
    if new.permission_id is not None and not ctx.caller.may(new.permission_id):
        raise Forbidden(f"you do not hold {new.permission_id} yourself", needs=new.permission_id)
    try:
        async with deps.db.transaction(ctx) as tx:
            made = await scopes.insert_scope(tx, app_id=ctx.app_id, id=new_id(), **new.model_dump())
            await audit.record(tx, ctx, ScopeChanged(name=new.name, change="created"))
    except asyncpg.UniqueViolationError:
        raise ScopeTaken from None
    except asyncpg.ForeignKeyViolationError as error:
        if violated(error) == "scopes_resource_id_fkey":
            raise ResourceNotFound from None
        raise UnknownPermission from None
    await _changed(deps, ctx)
    return made


async def list_scopes(deps: Deps, ctx: Context, _: ListScopes) -> Scopes:
    async with deps.db.reading(ctx) as db:
        return Scopes(scopes=await scopes.scopes(db, app_id=ctx.app_id))


async def delete_scope(deps: Deps, ctx: Context, asked: DeleteScope) -> Done:
    async with deps.db.transaction(ctx) as tx:
        if not await scopes.delete_scope(tx, app_id=ctx.app_id, id=asked.id):
            raise ScopeNotFound
        await audit.record(tx, ctx, ScopeChanged(name=asked.id, change="deleted"))
    await _changed(deps, ctx)
    return Done()


async def _changed(deps: Deps, ctx: Context) -> None:
    """Discovery lists scopes: what gateways keep of it goes by the noun `resource`."""
    await deps.changed(ctx, "scope")
    await deps.changes.publish(ctx, "resource")
