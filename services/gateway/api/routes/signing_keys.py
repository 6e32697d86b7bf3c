"""An application's signing keys: on its own host, or in the Dashboard under its slug."""

from __future__ import annotations

from common.contracts.keys import ListSigningKeys, PublishedKeys
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["settings"])


@router.get("/signing-keys", summary="List signing keys")
async def list_(ctx: Acting, bus: TheBus) -> PublishedKeys:
    """Lists the keys that sign the application's tokens, with their state and the time of their
    rotation. Keys rotate by themselves. Needs `settings:read`."""
    return await bus.call(ctx, ListSigningKeys())


routes = RouteSet(router=router, in_applications=True)
