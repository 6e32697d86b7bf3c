"""Remembered devices: browsers that skip the second factor for some days.

A remembered device is no factor: its sessions have one factor. It ends with the next change of the
user's password, factors or address.
"""

from __future__ import annotations

from typing import Final

from common import audit, crypto
from common.context import Context
from common.contracts.base import Done
from common.contracts.second_factors import DeviceNotFound, RevokeDevice
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.second_factors import DeviceForgotten, DeviceRemembered
from common.ids import new_id
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.devices import device_name
from identity.queries import trusted_devices

PURPOSE: Final = "remembered"
"""The label of the tokens' hashes."""


async def remember(deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, user_id: str) -> str | None:
    """Remembers the device of this request. Returns the value of its cookie, of 256 random bits, or
    None if the application remembers no devices. The caller has locked the user's row."""
    days = tenant.settings.mfa_remember_device_days
    if not days:
        return None
    token, id = crypto.token(), new_id()
    await trusted_devices.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        user_id=user_id,
        token_hash=deps.keys.hash(PURPOSE, token),
        name=device_name(ctx.agent),
        days=days,
    )
    event = DeviceRemembered(user_id=user_id, device_id=id, days=days)
    await audit.record(tx, ctx, event, user_id=user_id)
    return token


async def revoke(deps: Deps, ctx: Context, request: RevokeDevice) -> Done:
    """Ends a remembered device of the caller. Raises DeviceNotFound."""
    user_id = the_user(ctx)
    async with deps.db.transaction(ctx) as tx:
        if not await trusted_devices.revoke(
            tx, app_id=ctx.app_id, id=request.device_id, user_id=user_id
        ):
            raise DeviceNotFound
        event = DeviceForgotten(user_id=user_id, device_id=request.device_id)
        await audit.record(tx, ctx, event, user_id=user_id)
    return Done()
