"""The accounts at identity providers that are connected to a user, for administrators."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.identities import Identities, ListUserIdentities, UnlinkUserIdentity
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/{id}/identities", tags=["users"])


@router.get("", summary="List a user's connected accounts")
async def list_identities(id: Id, ctx: Acting, bus: TheBus) -> Identities:
    """Lists the accounts at identity providers that the user can sign in with. Needs
    `users:read`."""
    return await bus.call(ctx, ListUserIdentities(user_id=id))


@router.delete("/{link_id}", summary="Disconnect an account of a user")
async def remove_identity(id: Id, link_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Disconnects an account. Answers 409 `last_way_in` if the user could not sign in without it.
    Needs `users:write`."""
    return await bus.call(ctx, UnlinkUserIdentity(user_id=id, link_id=link_id))


routes = RouteSet(router=router, in_applications=True)
