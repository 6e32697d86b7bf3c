"""Devices of both applications: one that waits for its user, and one that Ada has allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.contracts.authorization import ResumeAuthorization
from common.contracts.clients import CreateClient
from common.contracts.device_authorization import (
    ListMyDeviceSignIns,
    StartDeviceAuthorization,
    VerifyUserCode,
)
from common.contracts.settings_change import SettingsChange, UpdateSettings
from common.grant_types import DEVICE_CODE

if TYPE_CHECKING:
    from tests.isolation.sides import Side, Sides

    from common.context import Caller


async def add_devices(sides: Sides, side: Side, administrator: Caller) -> None:
    """Turns device authorization on, and starts two devices of a client."""
    changes = SettingsChange(device_authorization=True)
    await sides.ask(side, administrator, UpdateSettings(changes=changes))
    sides.world.tenants.cache.clear()
    client = await sides.ask(
        side,
        administrator,
        CreateClient(
            name=f"Terminal {side.word}",
            type="native",
            grant_types=[DEVICE_CODE],
            scopes=["openid"],
        ),
    )
    start = StartDeviceAuthorization(params=[("client_id", client.client_id)])
    waiting, allowed = await sides.ask(side, None, start), await sides.ask(side, None, start)
    assert side.session is not None
    verify = VerifyUserCode(user_code=allowed.user_code, session=side.session)
    page = await sides.ask(side, None, verify)
    decide = ResumeAuthorization(request=page.request, session=side.session, consent="allow")
    assert (await sides.ask(side, None, decide)).kind == "device_approved"
    listed = await sides.ask(side, side.ada, ListMyDeviceSignIns())
    side.things |= {
        "StartDeviceAuthorization.params": [],
        "VerifyUserCode.user_code": waiting.user_code,
        "RevokeMyDeviceSignIn.device_id": listed.devices[0].id,
        "RevokeUserDeviceSignIn.device_id": listed.devices[0].id,
        "RevokeUserDeviceSignIn.user_id": side.ada.id,
        "ListUserDeviceSignIns.user_id": side.ada.id,
    }
