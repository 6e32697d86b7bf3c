"""The access that a user gave to clients, for administrators."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.consents import Grants, ListUserGrants, RevokeUserGrant
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/{id}/grants", tags=["users"])


@router.get("", summary="List grants of a user")
async def list_grants(id: Id, ctx: Acting, bus: TheBus) -> Grants:
    """Lists the clients that the user gave access, with the scopes of each. Needs `users:read`."""
    return await bus.call(ctx, ListUserGrants(user_id=id))


@router.delete("/{client_id}", summary="Revoke a grant of a user")
async def revoke_grant(id: Id, client_id: str, ctx: Acting, bus: TheBus) -> Done:
    """Revokes the access that the user gave a client. Its tokens for the user stop working at once.
    Needs `users:write`."""
    return await bus.call(ctx, RevokeUserGrant(user_id=id, client_id=client_id))


routes = RouteSet(router=router, in_applications=True)
