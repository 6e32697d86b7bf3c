"""APIs that tokens are for (RFC 8707), and the application's own scopes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.resources import (
    CreateResource,
    DeleteResource,
    ListResources,
    Resource,
    ResourceNotFound,
    Resources,
    ResourceTaken,
)
from common.contracts.scopes import (
    CreateScope,
    DeleteScope,
    ListScopes,
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
from oidc import keys, redirect_uris
from oidc.claims import STANDARD
from oidc.deps import Deps
from oidc.queries import scopes
from oidc.scopes import CLAIMS


async def create_resource(deps: Deps, ctx: Context, new: CreateResource) -> Resource:
    message = redirect_uris.identifier_mistake(new.identifier)
    own = redirect_uris.same_identifier(new.identifier)
    if message is None and own == redirect_uris.same_identifier(ctx.origin):
        message = "is the issuer, which names Aero2's own API"
    if message is not None:
        raise Invalid(errors=[{"field": "identifier", "message": message}])
    if new.access_token_alg is not None:
        await keys.signing(deps, ctx, new.access_token_alg)
    try:
        async with deps.db.transaction(ctx) as tx:
            others = await scopes.resources(tx, app_id=ctx.app_id)
            if own in {redirect_uris.same_identifier(other.identifier) for other in others}:
                raise ResourceTaken
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


async def delete_resource(deps: Deps, ctx: Context, request: DeleteResource) -> Done:
    async with deps.db.transaction(ctx) as tx:
        names = await scopes.of_resource(tx, app_id=ctx.app_id, resource_id=request.id)
        if not await scopes.delete_resource(tx, app_id=ctx.app_id, id=request.id):
            raise ResourceNotFound
        changed = await scopes.take_from_clients(tx, app_id=ctx.app_id, names=names)
        await audit.record(tx, ctx, ScopeChanged(name=request.id, change="deleted"))
    await _changed(deps, ctx, changed)
    return Done()


async def create_scope(deps: Deps, ctx: Context, new: CreateScope) -> Scope:
    """Raises Forbidden for a permission that the caller does not hold: he could give it away."""
    if new.name in CLAIMS:
        raise ScopeTaken("this scope has its meaning in OpenID Connect")
    unknown = sorted(set(new.claims) - STANDARD)
    if unknown:
        message = f"{unknown[0][:60]} is no standard claim"
        raise Invalid(errors=[{"field": "claims", "message": message}])
    if new.permission_id is not None:
        _must_hold(ctx, new.permission_id)
        if ":" in new.name and new.name != new.permission_id:
            message = "a scope named like a permission stands for that permission"
            raise Invalid(errors=[{"field": "permission_id", "message": message}])
    try:
        made = await _insert(deps, ctx, new)
    except asyncpg.UniqueViolationError:
        raise ScopeTaken from None
    except asyncpg.ForeignKeyViolationError as error:
        if violated(error) == "scopes_resource_id_fkey":
            raise ResourceNotFound from None
        raise UnknownPermission from None
    await _changed(deps, ctx)
    return made


async def _insert(deps: Deps, ctx: Context, new: CreateScope) -> Scope:
    """Binds a scope that is named like a permission to it. Raises Forbidden if the caller does not
    hold that permission: an unbound scope of its name would switch its guard off."""
    if new.permission_id is not None or ":" not in new.name:
        return await _insert_as(deps, ctx, new, new.permission_id)
    try:
        return await _insert_as(deps, ctx, new, new.name)
    except asyncpg.ForeignKeyViolationError as error:
        if violated(error) != "scopes_permission_id_fkey":
            raise
    return await _insert_as(deps, ctx, new, None)


async def _insert_as(
    deps: Deps, ctx: Context, new: CreateScope, permission_id: str | None
) -> Scope:
    fields: dict[str, Any] = new.model_dump() | {"permission_id": permission_id}
    async with deps.db.transaction(ctx) as tx:
        made = await scopes.insert_scope(tx, app_id=ctx.app_id, id=new_id(), **fields)
        if permission_id is not None:
            _must_hold(ctx, permission_id)
        await audit.record(tx, ctx, ScopeChanged(name=new.name, change="created"))
    return made


def _must_hold(ctx: Context, permission: str) -> None:
    if not ctx.caller.may(permission):
        raise Forbidden(f"you do not hold {permission} yourself", needs=permission)


async def list_scopes(deps: Deps, ctx: Context, _: ListScopes) -> Scopes:
    async with deps.db.reading(ctx) as db:
        return Scopes(scopes=await scopes.scopes(db, app_id=ctx.app_id))


async def delete_scope(deps: Deps, ctx: Context, request: DeleteScope) -> Done:
    async with deps.db.transaction(ctx) as tx:
        name = await scopes.delete_scope(tx, app_id=ctx.app_id, id=request.id)
        if name is None:
            raise ScopeNotFound
        changed = await scopes.take_from_clients(tx, app_id=ctx.app_id, names=[name])
        await audit.record(tx, ctx, ScopeChanged(name=request.id, change="deleted"))
    await _changed(deps, ctx, changed)
    return Done()


async def _changed(deps: Deps, ctx: Context, clients: Iterable[str] = ()) -> None:
    """Discovery lists scopes: what gateways keep of it goes by the noun `resource`."""
    for client_id in clients:
        await deps.changed(ctx, "client", client_id)
    await deps.changed(ctx, "scope")
    await deps.invalidation.publish(ctx, "resource")
