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


@router.get("/roles", summary="My roles")
async def roles(ctx: SignedIn, bus: TheBus) -> AssignedRoles:
    """Each with its permissions."""
    return await bus.call(ctx, ListMyRoles())


@router.get("/permissions", summary="My effective rights")
async def rights(request: Annotated[GetMyRights, Query()], ctx: SignedIn, bus: TheBus) -> Rights:
    """In the active organization, or in the one asked for."""
    return await bus.call(ctx, request)


routes = RouteSet(router=router)
