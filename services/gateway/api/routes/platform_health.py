"""The health of the platform, for operators. Only on the Dashboard's host."""

from __future__ import annotations

from gateway import platform_health
from gateway.api.deps import SignedIn, TheGateway
from gateway.api.noun_router import NounRouter
from gateway.platform_health import PlatformHealth
from gateway.routing import HostKind, RouteSet

router = NounRouter(tags=["platform"])


@router.get("/platform/health", summary="Get the health of the platform")
async def get_health(ctx: SignedIn, gateway: TheGateway) -> PlatformHealth:
    """Returns the processes of all services with their figures, the queues, the stream of audit events
    and the database, as they were at most two seconds ago. A part without an answer within a second is
    `null`, and a warning names it. Needs `platform:manage`."""
    return await platform_health.platform_health(gateway, ctx)


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
