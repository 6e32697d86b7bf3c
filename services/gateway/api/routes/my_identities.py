"""The accounts at identity providers that are connected to the caller."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.identities import Identities, ListMyIdentities, UnlinkMyIdentity
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/identities", tags=["me"])


@router.get("", summary="List your connected accounts")
async def list_identities(ctx: SignedIn, bus: TheBus) -> Identities:
    """Lists the accounts at identity providers that you can sign in with."""
    return await bus.call(ctx, ListMyIdentities())


@router.delete("/{link_id}", summary="Disconnect one of your accounts")
async def remove_identity(link_id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """Disconnects an account. Answers 409 `last_way_in` if you could not sign in without it, and 403
    `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, UnlinkMyIdentity(link_id=link_id))


routes = RouteSet(router=router)
