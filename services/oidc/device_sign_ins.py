"""The devices on which users signed in by a code: users and administrators list them and sign them out."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.device_authorization import (
    MOST_DEVICES,
    DeviceSignInNotFound,
    DeviceSignIns,
    ListMyDeviceSignIns,
    ListUserDeviceSignIns,
    RevokeMyDeviceSignIn,
    RevokeUserDeviceSignIn,
)
from common.contracts.users import UserNotFound
from common.events.device_authorization import DeviceRevoked
from common.problems import Forbidden
from oidc.deps import Deps
from oidc.queries import consents, device_sign_ins, token_families


async def list_of_user(deps: Deps, ctx: Context, request: ListUserDeviceSignIns) -> DeviceSignIns:
    """Lists the devices of a user. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if not await consents.is_user(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
    return await _list(deps, ctx, request.user_id)


async def list_own(deps: Deps, ctx: Context, _: ListMyDeviceSignIns) -> DeviceSignIns:
    """Lists the devices of the calling user."""
    return await _list(deps, ctx, _calling_user(ctx))


async def _list(deps: Deps, ctx: Context, user_id: str) -> DeviceSignIns:
    async with deps.db.reader(ctx) as db:
        rows = await device_sign_ins.list_(
            db, app_id=ctx.app_id, user_id=user_id, limit=MOST_DEVICES
        )
    return DeviceSignIns(devices=rows)


async def revoke_of_user(deps: Deps, ctx: Context, request: RevokeUserDeviceSignIn) -> Done:
    """Signs a user's device out. Raises DeviceSignInNotFound."""
    return await _revoke(
        deps, ctx, request.device_id, user_id=request.user_id, reason="administrator"
    )


async def revoke_own(deps: Deps, ctx: Context, request: RevokeMyDeviceSignIn) -> Done:
    """Signs a device of the calling user out. Raises DeviceSignInNotFound."""
    return await _revoke(deps, ctx, request.device_id, user_id=_calling_user(ctx), reason="user")


async def _revoke(deps: Deps, ctx: Context, device_id: str, *, user_id: str, reason: str) -> Done:
    """Revokes the tokens of a device. One that has not fetched them gets none.

    The lock waits for a redemption at the same time, so the last statement sees its tokens.
    """
    async with deps.db.transaction(ctx) as tx:
        device = await device_sign_ins.lock(tx, app_id=ctx.app_id, user_id=user_id, id=device_id)
        if device is None:
            raise DeviceSignInNotFound
        if device.approved:
            await device_sign_ins.refuse(
                tx, app_id=ctx.app_id, device_code_hash=device.device_code_hash
            )
        revoked = await token_families.revoke(tx, app_id=ctx.app_id, id=device_id, reason=reason)
        if device.approved or revoked:
            event = DeviceRevoked(client_id=device.client_id, device_id=device_id, reason=reason)
            await audit.record(tx, ctx, event, user_id=user_id)
    if revoked:
        await deps.invalidate(ctx, "token", device_id)
    return Done()


def _calling_user(ctx: Context) -> str:
    if ctx.caller.user_id is None:
        raise Forbidden("only a user of this application has devices of their own")
    return ctx.caller.user_id
