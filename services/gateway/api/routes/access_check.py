"""Access checks, for backends that ask instead of reading a token."""

from __future__ import annotations

from common.contracts.access_check import CheckAccess, Verdicts
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/authorize", tags=["authorize"])


@router.post("/check", summary="May these users do these things?")
async def check(request: CheckAccess, ctx: Acting, bus: TheBus) -> Verdicts:
    """Up to a hundred questions; each answer names the roles that grant it, or why not. About
    others than yourself only with `roles:read`, which a secret key has."""
    return await bus.call(ctx, request)


routes = RouteSet(router=router, in_applications=True)
