"""An application's settings: on its own host, or in the Dashboard under its slug."""

from __future__ import annotations

from common.contracts.app_settings import AppSettings
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["settings"])


@router.get("/settings", summary="Get the application's settings")
async def get(ctx: Acting, bus: TheBus) -> AppSettings:
    """Returns all settings, including defaults. Needs `settings:read`."""
    return await bus.call(ctx, GetSettings())


@router.put("/settings", summary="Update the application's settings")
async def update(changes: SettingsChange, ctx: Acting, bus: TheBus) -> AppSettings:
    """Changes the settings that you send and returns all of them. The others stay as they are.
    Needs `settings:write`."""
    return await bus.call(ctx, UpdateSettings(changes=changes))


routes = RouteSet(router=router, in_applications=True)
