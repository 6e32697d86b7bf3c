"""Access checks, for backends that ask instead of reading a token."""

from __future__ import annotations

from common.contracts.access_check import CheckAccess, Verdicts
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/authorize", tags=["authorize"])


@router.post("/check", summary="Check permissions of users")
async def check(request: CheckAccess, ctx: Acting, bus: TheBus) -> Verdicts:
    """Answers up to 100 checks in their order. Each result names the roles that grant the
    permission, or the reason why it is not granted. To check other users, you need `roles:read`. A
    secret key has it."""
    return await bus.call(ctx, request)


routes = RouteSet(router=router, in_applications=True)
