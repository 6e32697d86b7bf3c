"""The devices on which a user signed in by a code, for administrators."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.device_authorization import (
    DeviceSignIns,
    ListUserDeviceSignIns,
    RevokeUserDeviceSignIn,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/{id}/device-sign-ins", tags=["users"])


@router.get("", summary="List device sign-ins of a user")
async def list_device_sign_ins(id: Id, ctx: Acting, bus: TheBus) -> DeviceSignIns:
    """Lists the devices that the user signed in by a code, or refused, the latest first, 100 at most.
    Needs `users:read`."""
    return await bus.call(ctx, ListUserDeviceSignIns(user_id=id))


@router.delete("/{device_id}", summary="Sign a user's device out")
async def revoke_device_sign_in(id: Id, device_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Signs a device out. Its tokens stop working at once. One that was approved and has not fetched its
    tokens yet gets none. Needs `users:write`."""
    return await bus.call(ctx, RevokeUserDeviceSignIn(user_id=id, device_id=device_id))


routes = RouteSet(router=router, in_applications=True)
