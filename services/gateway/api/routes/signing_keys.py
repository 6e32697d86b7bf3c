"""An application's signing keys: on its own host, or in the Dashboard under its slug."""

from __future__ import annotations

from common.contracts.keys import ListSigningKeys, PublishedKeys, RotateSigningKeys
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["settings"])


@router.get("/signing-keys", summary="List signing keys")
async def list_(ctx: Acting, bus: TheBus) -> PublishedKeys:
    """Lists the keys that sign the application's tokens, with their state and the time of their
    rotation. Keys rotate by themselves. Needs `settings:read`."""
    return await bus.call(ctx, ListSigningKeys())


@router.post("/signing-keys/rotate", summary="Rotate signing keys")
async def rotate(body: RotateSigningKeys, ctx: Acting, bus: TheBus) -> PublishedKeys:
    """Publishes new keys and returns all published ones. The new keys sign later, or at once with `now`,
    if a key has leaked. Replaced keys verify until their last token has expired. While a new key waits,
    no other one of its algorithm is published. Sent again within a minute, the request rotates nothing.
    Answers 409 `too_many_signing_keys` while too many replaced keys verify. Needs `settings:write`, and
    of users a sign-in within the last 15 minutes."""
    return await bus.call(ctx, body)


routes = RouteSet(router=router, in_applications=True)
