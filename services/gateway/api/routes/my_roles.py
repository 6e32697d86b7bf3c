"""The roles and permissions of the signed-in user."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.assignments import AssignedRoles, ListMyRoles
from common.contracts.rights import GetMyRights, Rights
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me", tags=["me"])


@router.get("/roles", summary="List your roles")
async def roles(ctx: SignedIn, bus: TheBus) -> AssignedRoles:
    """Lists the roles that you have, with the permissions of each."""
    return await bus.call(ctx, ListMyRoles())


@router.get("/permissions", summary="Get your permissions")
async def rights(request: Annotated[GetMyRights, Query()], ctx: SignedIn, bus: TheBus) -> Rights:
    """Returns your roles and permissions, including those from the active organization or from the
    one in `org_id`."""
    return await bus.call(ctx, request)


routes = RouteSet(router=router)
