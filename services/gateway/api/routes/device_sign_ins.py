"""The devices on which the calling user signed in by a code: `/api/users/me/device-sign-ins`."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.device_authorization import (
    DeviceSignIns,
    ListMyDeviceSignIns,
    RevokeMyDeviceSignIn,
)
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/device-sign-ins", tags=["my grants"])


@router.get("", summary="List your device sign-ins")
async def list_devices(ctx: SignedIn, bus: TheBus) -> DeviceSignIns:
    """Lists the devices that you signed in by a code, the latest first, 100 at most."""
    return await bus.call(ctx, ListMyDeviceSignIns())


@router.delete("/{device_id}", summary="Sign one of your devices out")
async def sign_device_out(device_id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """Signs a device out. Its tokens stop working at once."""
    return await bus.call(ctx, RevokeMyDeviceSignIn(device_id=device_id))


routes = RouteSet(router=router)
