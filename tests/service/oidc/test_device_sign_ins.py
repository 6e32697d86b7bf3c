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


async def test_the_states_of_devices(world: World) -> None:
    """A device is listed once its user has decided, the latest first. One that nobody decided is not."""
    client, ann = await device_client(world), await world.person()
    await start(world, client)
    refused, approved, signed_in = [await start(world, client) for _ in range(3)]
    await decide(world, ann, refused.user_code, "deny")
    await decide(world, ann, approved.user_code)
    await decide(world, ann, signed_in.user_code)
    await poll(world, client, signed_in.device_code)
    listed = await devices(world, ann)
    assert [one.state for one in listed] == ["signed_in", "approved", "denied"]
    assert {(one.client_name, one.ip_address, one.user_agent) for one in listed} == {
        (client.name, "198.51.100.7", "gh/2.1")
    }
    await expire(world, approved)
    assert [one.state for one in await devices(world, ann)] == ["signed_in", "ended", "denied"]
    assert await devices(world, await world.person()) == []
    with pytest.raises(UserNotFound):
        await world.admin(ListUserDeviceSignIns(user_id=new_id()))


@pytest.mark.parametrize("by_user", [True, False])
async def test_a_device_is_signed_out(world: World, by_user: bool) -> None:
    """Its tokens stop working on all replicas. One that has fetched none gets none. The second time, nothing
    happens."""
    client, ann = await device_client(world), await world.person()
    approved, signed_in = await start(world, client), await start(world, client)
    for device in (approved, signed_in):
        await decide(world, ann, device.user_code)
    tokens = await poll(world, client, signed_in.device_code)
    for _ in range(2):
        for one in await devices(world, ann):
            if by_user:
                await world.call(RevokeMyDeviceSignIn(device_id=one.id), caller(ann))
            else:
                call = RevokeUserDeviceSignIn(user_id=ann.user_id, device_id=one.id)
                await world.admin(call)
    assert [one.state for one in await devices(world, ann)] == ["ended", "denied"]
    for bus in (world.bus, world.replica.bus):
        with pytest.raises(InvalidToken):
            await bus.call(world.ctx(), CheckAccessToken(token=tokens.access_token))
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)
    with pytest.raises(AccessDenied):
        await poll(world, client, approved.device_code)
    revoked = "SELECT count(*) FROM audit_logs WHERE event_type = 'device_revoked'"
    assert await world.owner.fetchval(revoked) == 2


async def test_only_an_own_device_is_signed_out(world: World) -> None:
    client = await device_client(world)
    ann, eve = await world.person(), await world.person()
    device = await start(world, client)
    await decide(world, ann, device.user_code)
    (one,) = await devices(world, ann)
    with pytest.raises(DeviceSignInNotFound):
        await world.call(RevokeMyDeviceSignIn(device_id=one.id), caller(eve))
    with pytest.raises(DeviceSignInNotFound):
        await world.admin(RevokeUserDeviceSignIn(user_id=eve.user_id, device_id=one.id))
    assert await poll(world, client, device.device_code)


async def test_signing_out_races_the_redemption(world: World) -> None:
    """Whichever comes first: after the answer, no token of the device works."""
    client, ann = await device_client(world), await world.person()
    for _ in range(5):
        device = await start(world, client)
        await decide(world, ann, device.user_code)
        one = (await devices(world, ann))[0]
        answers = await asyncio.gather(
            poll(world, client, device.device_code, bus=world.replica.bus),
            world.call(RevokeMyDeviceSignIn(device_id=one.id), caller(ann)),
            return_exceptions=True,
        )
        assert (await devices(world, ann))[0].state in ("ended", "denied")
        if isinstance(answers[0], Tokens):
            with pytest.raises(InvalidToken):
                await world.call(CheckAccessToken(token=answers[0].access_token))
