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


@router.get("/resources", summary="List the APIs")
async def list_resources(ctx: Acting, bus: TheBus) -> Resources:
    """Needs `clients:read`."""
    return await bus.call(ctx, ListResources())


@router.post("/resources", status_code=201, summary="Register an API")
async def create_resource(new: CreateResource, ctx: Acting, bus: TheBus) -> Resource:
    """Its identifier becomes the audience of tokens asked for with `resource`. Needs
    `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/resources/{id}", summary="Delete an API and its scopes")
async def delete_resource(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Needs `clients:delete`."""
    return await bus.call(ctx, DeleteResource(id=id))


@router.get("/scopes", summary="List the scopes beside the standard ones")
async def list_scopes(ctx: Acting, bus: TheBus) -> Scopes:
    """Needs `clients:read`."""
    return await bus.call(ctx, ListScopes())


@router.post("/scopes", status_code=201, summary="Define a scope")
async def create_scope(new: CreateScope, ctx: Acting, bus: TheBus) -> Scope:
    """Bound to a permission, it is granted only to who holds it. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/scopes/{id}", summary="Delete a scope")
async def delete_scope(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Needs `clients:delete`."""
    return await bus.call(ctx, DeleteScope(id=id))


routes = RouteSet(router=router, in_applications=True)
