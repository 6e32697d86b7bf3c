"""The way to sign in that an address leads to."""

from __future__ import annotations

from common.contracts.sign_in_route import FindSignInRoute, SignInRoute
from gateway.api.deps import Anyone, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/auth", tags=["auth"])


@router.post("/provider", summary="Find the provider of an address")
async def provider(body: FindSignInRoute, ctx: Anyone, bus: TheBus) -> SignInRoute:
    """Returns the provider of the organization that has verified the domain of the address, or `null`.
    Send the user to `/rp/authorize?idp={name}` on this host. The answer is the same whether the address
    has an account or not."""
    return await bus.call(ctx, body)


routes = RouteSet(router=router)
