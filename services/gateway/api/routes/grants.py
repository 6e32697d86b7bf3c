"""The consents of the calling user: `/api/users/me/grants`."""

from __future__ import annotations

from common.contracts.base import Done
from common.contracts.consents import Grants, ListMyGrants, RevokeMyGrant
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/grants", tags=["my grants"])


@router.get("", summary="List the apps that you allowed something")
async def list_(ctx: SignedIn, bus: TheBus) -> Grants:
    """With the scopes of each."""
    return await bus.call(ctx, ListMyGrants())


@router.delete("/{client_id}", summary="Withdraw what you allowed an app")
async def revoke(client_id: str, ctx: SignedIn, bus: TheBus) -> Done:
    """Its tokens for you are dead at once."""
    return await bus.call(ctx, RevokeMyGrant(client_id=client_id))


routes = RouteSet(router=router)
