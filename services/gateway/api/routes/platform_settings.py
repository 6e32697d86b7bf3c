"""The settings of the platform, for operators. Only on the Dashboard's host."""

from __future__ import annotations

from common.contracts.platform_settings import (
    GetPlatformSettings,
    PlatformSettings,
    PlatformSettingsChange,
    UpdatePlatformSettings,
)
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(tags=["platform"])


@router.get("/platform/settings", summary="Get the settings of the platform")
async def get_settings(ctx: SignedIn, bus: TheBus) -> PlatformSettings:
    """Returns how many applications a team may have, and what new applications start with. The settings
    of the Dashboard itself are those of the application `dashboard`. Needs `platform:manage`."""
    return await bus.call(ctx, GetPlatformSettings())


@router.patch("/platform/settings", summary="Update the settings of the platform")
async def update_settings(
    changes: PlatformSettingsChange, ctx: SignedIn, bus: TheBus
) -> PlatformSettings:
    """Changes the settings that you send and returns all of them. Applications that exist stay as they
    are. Needs `platform:manage`."""
    return await bus.call(ctx, UpdatePlatformSettings(changes=changes))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
