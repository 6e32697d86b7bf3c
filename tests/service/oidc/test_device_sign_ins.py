"""The devices on which a user signed in by a code: in lists, and signed out."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.device_sign_in import decide, device_client, expire, poll, start
from tests.kit.factories import Person
from tests.kit.world import World

from common.context import Caller
from common.contracts.device_authorization import (
    DeviceSignIn,
    DeviceSignInNotFound,
    ListMyDeviceSignIns,
    ListUserDeviceSignIns,
    RevokeMyDeviceSignIn,
    RevokeUserDeviceSignIn,
)
from common.contracts.oauth_errors import AccessDenied, InvalidGrant, InvalidToken
from common.contracts.tokens import CheckAccessToken, Tokens
from common.contracts.users import UserNotFound
from common.ids import new_id


def caller(person: Person) -> Caller:
    return Caller("user", person.user_id, session_id=person.session.session_id)


async def devices(world: World, person: Person) -> list[DeviceSignIn]:
    listed = await world.admin(ListUserDeviceSignIns(user_id=person.user_id))
    own = await world.call(ListMyDeviceSignIns(), caller(person))
    assert listed == own
    found: list[DeviceSignIn] = listed.devices
    return found


async def test_the_states_of_devices(shared: World) -> None:
    """A device is listed once its user has decided, the latest first. One that nobody decided is not."""
    client, ann = await device_client(shared), await shared.person()
    await start(shared, client)
    refused, approved, signed_in = [await start(shared, client) for _ in range(3)]
    await decide(shared, ann, refused.user_code, "deny")
    await decide(shared, ann, approved.user_code)
    await decide(shared, ann, signed_in.user_code)
    await poll(shared, client, signed_in.device_code)
    listed = await devices(shared, ann)
    assert [one.state for one in listed] == ["signed_in", "approved", "denied"]
    assert {(one.client_name, one.ip_address, one.user_agent) for one in listed} == {
        (client.name, "198.51.100.7", "gh/2.1")
    }
    await expire(shared, approved)
    assert [one.state for one in await devices(shared, ann)] == ["signed_in", "ended", "denied"]
    assert await devices(shared, await shared.person()) == []
    with pytest.raises(UserNotFound):
        await shared.admin(ListUserDeviceSignIns(user_id=new_id()))


@pytest.mark.parametrize("by_user", [True, False])
async def test_a_device_is_signed_out(shared: World, by_user: bool) -> None:
    """Its tokens stop working on all replicas. One that has fetched none gets none. The second time, nothing
    happens."""
    client, ann = await device_client(shared), await shared.person()
    approved, signed_in = await start(shared, client), await start(shared, client)
    for device in (approved, signed_in):
        await decide(shared, ann, device.user_code)
    tokens = await poll(shared, client, signed_in.device_code)
    for _ in range(2):
        for one in await devices(shared, ann):
            if by_user:
                await shared.call(RevokeMyDeviceSignIn(device_id=one.id), caller(ann))
            else:
                call = RevokeUserDeviceSignIn(user_id=ann.user_id, device_id=one.id)
                await shared.admin(call)
    assert [one.state for one in await devices(shared, ann)] == ["ended", "denied"]
    for bus in (shared.bus, shared.replica.bus):
        with pytest.raises(InvalidToken):
            await bus.call(shared.ctx(), CheckAccessToken(token=tokens.access_token))
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)
    with pytest.raises(AccessDenied):
        await poll(shared, client, approved.device_code)
    revoked = "SELECT count(*) FROM audit_logs WHERE event_type = 'device_revoked' AND user_id = $1"
    assert await shared.owner.fetchval(revoked, ann.user_id) == 2


async def test_only_an_own_device_is_signed_out(shared: World) -> None:
    client = await device_client(shared)
    ann, eve = await shared.person(), await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    (one,) = await devices(shared, ann)
    with pytest.raises(DeviceSignInNotFound):
        await shared.call(RevokeMyDeviceSignIn(device_id=one.id), caller(eve))
    with pytest.raises(DeviceSignInNotFound):
        await shared.admin(RevokeUserDeviceSignIn(user_id=eve.user_id, device_id=one.id))
    assert await poll(shared, client, device.device_code)


async def test_signing_out_races_the_redemption(shared: World) -> None:
    """Whichever comes first: after the answer, no token of the device works."""
    client, ann = await device_client(shared), await shared.person()
    for _ in range(5):
        device = await start(shared, client)
        await decide(shared, ann, device.user_code)
        one = (await devices(shared, ann))[0]
        answers = await asyncio.gather(
            poll(shared, client, device.device_code, bus=shared.replica.bus),
            shared.call(RevokeMyDeviceSignIn(device_id=one.id), caller(ann)),
            return_exceptions=True,
        )
        assert (await devices(shared, ann))[0].state in ("ended", "denied")
        if isinstance(answers[0], Tokens):
            with pytest.raises(InvalidToken):
                await shared.call(CheckAccessToken(token=answers[0].access_token))
