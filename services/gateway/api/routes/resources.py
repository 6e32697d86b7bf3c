"""APIs that access tokens are for (RFC 8707), and the scopes of an application."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.resources import (
    CreateResource,
    DeleteResource,
    ListResources,
    Resource,
    Resources,
)
from common.contracts.scopes import CreateScope, DeleteScope, ListScopes, Scope, Scopes
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["resources"])


@router.get("/resources", summary="List APIs")
async def list_resources(ctx: Acting, bus: TheBus) -> Resources:
    """Lists the APIs that access tokens can be for. Needs `clients:read`."""
    return await bus.call(ctx, ListResources())


@router.post("/resources", status_code=201, summary="Register an API")
async def create_resource(new: CreateResource, ctx: Acting, bus: TheBus) -> Resource:
    """Registers an API. Tokens that a client requests with this `resource` have its identifier as
    their audience. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/resources/{id}", summary="Delete an API and its scopes")
async def delete_resource(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the API and its scopes. Clients lose them. Needs `clients:delete`."""
    return await bus.call(ctx, DeleteResource(id=id))


@router.get("/scopes", summary="List your own scopes")
async def list_scopes(ctx: Acting, bus: TheBus) -> Scopes:
    """Lists the scopes that you defined, without the standard ones. Needs `clients:read`."""
    return await bus.call(ctx, ListScopes())


@router.post("/scopes", status_code=201, summary="Create a scope")
async def create_scope(new: CreateScope, ctx: Acting, bus: TheBus) -> Scope:
    """Creates a scope. If you bind it to a permission, only users who hold the permission are
    granted the scope. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/scopes/{id}", summary="Delete a scope")
async def delete_scope(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the scope. Clients lose it. Needs `clients:delete`."""
    return await bus.call(ctx, DeleteScope(id=id))


routes = RouteSet(router=router, in_applications=True)
