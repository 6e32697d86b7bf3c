"""Steps of a device, and of the user who signs it in, at the oidc service of a `World`."""

from __future__ import annotations

from typing import Any

from tests.kit.factories import Person
from tests.kit.oauth import basic_of
from tests.kit.world import World

from common.contracts.authorization import Authorization
from common.contracts.clients import NewClient
from common.contracts.device_authorization import (
    DeviceAuthorization,
    StartDeviceAuthorization,
    VerifyUserCode,
)
from common.contracts.tokens import Tokens
from common.grant_types import DEVICE_CODE
from common.testing import LocalBus

GRANTS = [DEVICE_CODE, "refresh_token"]
SCOPE = "openid email offline_access"


async def device_client(world: World, **more: Any) -> NewClient:
    """Creates a command-line tool, and switches device authorization on."""
    world.configure(world.app_id, device_authorization=True)
    fields = {
        "type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": GRANTS,
        "redirect_uris": [],
        "scopes": SCOPE.split(),
    }
    return await world.client(**fields | more)


async def start(
    world: World, client: NewClient, *, bus: LocalBus | None = None, **params: str | None
) -> DeviceAuthorization:
    """Starts a device as the client does."""
    given = {"client_id": client.client_id, "scope": SCOPE} | params
    sent = [(name, value) for name, value in given.items() if value is not None]
    basic = basic_of(client.client_id, client.client_secret) if client.client_secret else None
    request = StartDeviceAuthorization(params=sent, basic=basic)
    return await (bus or world.bus).call(world.ctx(ip="198.51.100.7", agent="gh/2.1"), request)


async def verify(world: World, person: Person, user_code: str, **facts: Any) -> Authorization:
    """Types the code in the session of this person."""
    request = VerifyUserCode(user_code=user_code, session=person.session)
    page: Authorization = await world.call(request, **facts)
    return page


async def decide(
    world: World, person: Person, user_code: str, consent: str = "allow"
) -> Authorization:
    """Types the code, and answers the page about the device."""
    page = await verify(world, person, user_code)
    assert page.kind == "device", page
    return await world.resume(page.request, person, consent=consent)


async def poll(
    world: World,
    client: NewClient,
    device_code: str,
    *,
    bus: LocalBus | None = None,
    **params: Any,
) -> Tokens:
    """Polls the token endpoint once."""
    return await world.token(
        client, bus=bus, grant_type=DEVICE_CODE, device_code=device_code, **params
    )


async def wait(world: World, seconds: float = 6) -> None:
    """Lets time pass for all devices: their last polls become older."""
    await world.owner.execute(
        "UPDATE device_codes SET last_polled_at = last_polled_at - make_interval(secs => $1)",
        seconds,
    )


async def expire(world: World, device: DeviceAuthorization) -> None:
    """Lets the codes of all devices of the application expire."""
    await world.owner.execute(
        "UPDATE device_codes SET expires_at = now() - interval '1 second' WHERE app_id = $1",
        world.app_id,
    )
