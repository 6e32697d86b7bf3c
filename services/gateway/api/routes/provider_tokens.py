"""Tokens of users at identity providers, for the application's backend."""

from __future__ import annotations

from common.contracts.base import Id
from common.contracts.provider_tokens import GetProviderToken, ProviderToken
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users", tags=["users"])


@router.get(
    "/{user_id}/identities/{link_id}/token", summary="Get a user's token at an identity provider"
)
async def get_provider_token(user_id: Id, link_id: Id, ctx: Acting, bus: TheBus) -> ProviderToken:
    """Returns the access token of a connected account, to call the provider's API for the user. A token
    that expires within a minute is refreshed first. The provider must have the option `store_tokens`.
    Only a secret key, or a client that acts for itself, may call this. Each call is audited. Needs
    `idps:tokens`."""
    return await bus.call(ctx, GetProviderToken(user_id=user_id, link_id=link_id))


routes = RouteSet(router=router)
