"""Resources: the APIs that access tokens are for (RFC 8707)."""

from __future__ import annotations

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
from common.events.resources import ScopeChanged
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid
from oidc import keys, redirect_uris, scope_catalogue
from oidc.deps import Deps
from oidc.queries import resources, scopes


async def create(deps: Deps, ctx: Context, request: CreateResource) -> Resource:
    """Creates a resource. Raises ResourceTaken if another one has the same identifier."""
    mistake = redirect_uris.identifier_mistake("identifier", request.identifier)
    identifier = redirect_uris.same_identifier(request.identifier)
    if mistake is None and identifier == redirect_uris.same_identifier(ctx.origin):
        mistake = field_error("identifier", "resource_is_issuer")
    if mistake is not None:
        raise Invalid(errors=[mistake])
    if request.access_token_alg is not None:
        await keys.signing_key(deps, ctx, request.access_token_alg)
    try:
        async with deps.db.transaction(ctx) as tx:
            others = await resources.list_(tx, app_id=ctx.app_id)
            if identifier in {redirect_uris.same_identifier(other.identifier) for other in others}:
                raise ResourceTaken
            resource = await resources.insert(
                tx,
                app_id=ctx.app_id,
                id=new_id(),
                identifier=request.identifier,
                name=request.name,
                access_token_lifetime=request.access_token_lifetime,
                access_token_alg=request.access_token_alg,
            )
            await audit.record(tx, ctx, ScopeChanged(name=request.identifier, change="created"))
    except asyncpg.UniqueViolationError:
        raise ResourceTaken from None
    await scope_catalogue.publish_change(deps, ctx)
    return resource


async def list_(deps: Deps, ctx: Context, _: ListResources) -> Resources:
    """Lists the application's resources."""
    async with deps.db.reader(ctx) as db:
        return Resources(resources=await resources.list_(db, app_id=ctx.app_id))


async def delete(deps: Deps, ctx: Context, request: DeleteResource) -> Done:
    """Deletes a resource and its scopes, and removes these scopes from all clients."""
    async with deps.db.transaction(ctx) as tx:
        names = await scopes.names_of_resource(tx, app_id=ctx.app_id, resource_id=request.id)
        if not await resources.delete(tx, app_id=ctx.app_id, id=request.id):
            raise ResourceNotFound
        client_ids = await scopes.remove_from_clients(tx, app_id=ctx.app_id, names=names)
        await audit.record(tx, ctx, ScopeChanged(name=request.id, change="deleted"))
    await scope_catalogue.publish_change(deps, ctx, client_ids)
    return Done()
