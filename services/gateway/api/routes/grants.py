"""The consents of the calling user: `/api/users/me/grants`."""

from __future__ import annotations

from common.contracts.base import Done
from common.contracts.consents import Grants, ListMyGrants, RevokeMyGrant
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/grants", tags=["my grants"])


@router.get("", summary="List your grants")
async def list_(ctx: SignedIn, bus: TheBus) -> Grants:
    """Lists the apps that you gave access to your account, with the scopes of each."""
    return await bus.call(ctx, ListMyGrants())


@router.delete("/{client_id}", summary="Revoke your grant to an app")
async def revoke(client_id: str, ctx: SignedIn, bus: TheBus) -> Done:
    """Revokes the access that you gave an app. Its tokens for you stop working at once."""
    return await bus.call(ctx, RevokeMyGrant(client_id=client_id))


routes = RouteSet(router=router)
