"""The applications of all teams, for operators. Only on the Dashboard's host."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.platform_applications import (
    GetPlatformApplication,
    ListPlatformApplications,
    PlatformApplicationDetails,
    PlatformApplications,
)
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(prefix="/platform/applications", tags=["platform"])


@router.get("", summary="List the applications of all teams")
async def list_applications(
    page: Annotated[ListPlatformApplications, Query()], ctx: SignedIn, bus: TheBus
) -> PlatformApplications:
    """Lists all applications, newest first, also those that are being created or deleted. Needs
    `apps:read:all`."""
    return await bus.call(ctx, page)


@router.get("/{slug}", summary="Get an application of any team")
async def get_application(slug: str, ctx: SignedIn, bus: TheBus) -> PlatformApplicationDetails:
    """Returns an application with its team and the number of its users. Needs `apps:read:all`."""
    return await bus.call(ctx, GetPlatformApplication(slug=slug))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
