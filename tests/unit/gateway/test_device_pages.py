"""The pages of device authorization (RFC 8628 section 3.3), with fake services."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import People
from tests.unit.gateway.test_account_pages import last
from tests.unit.gateway.test_pages import TOKEN, change_settings, post, signed_in

from common.contracts.authorization import (
    Authorization,
    RequestingDevice,
    ResumeAuthorization,
)
from common.contracts.device_authorization import (
    AuthorizationPending,
    DeviceAuthorization,
    DeviceSignIn,
    ListMyDeviceSignIns,
    SlowDown,
    StartDeviceAuthorization,
    UserCodeUnknown,
    VerifyUserCode,
)
from common.contracts.tenants import Tenant
from common.contracts.tokens import ExchangeToken, Tokens
from common.grant_types import DEVICE_CODE
from common.ids import new_id
from common.problems import Problem, RateLimited
from gateway.app import GatewayApp

CODE = "BCDF-GHJK"
FORM = {"client_id": "c"}


def device(**more: object) -> Authorization:
    """Returns the page about a device."""
    shown = {"user_code": CODE, "ip_address": "198.51.100.7", "created_at": datetime.now(UTC)}
    return Authorization(
        kind="device",
        request="r1",
        client_id="c",
        client_name="<b>Tool</b>",
        client_uri="https://tool.example/x",
        scopes=["email", "notes:write"],
        device=RequestingDevice(**shown | more),
    )


@pytest.fixture
async def people(world: FakeServices, app: Tenant, http: httpx.AsyncClient) -> People:
    people = People(world)
    change_settings(world, app, device_authorization=True)
    await signed_in(http, world, app)
    people.authorization = device()
    return people


async def test_the_code_is_typed_after_sign_in(http: httpx.AsyncClient, people: People) -> None:
    """The code of the complete link survives the sign-in."""
    http.cookies.clear()
    sent = await http.get(f"/device?user_code={CODE}")
    assert sent.headers["location"] == "/login?return_to=%2Fdevice%3Fuser_code%3DBCDF-GHJK"
    refused = await http.post("/device", data={"user_code": CODE})
    assert refused.status_code == 403
    assert not [call for call in people.world.bus.calls if isinstance(call, VerifyUserCode)]


async def test_the_complete_link_fills_the_form_in(http: httpx.AsyncClient, people: People) -> None:
    """Trap 43: and asks nobody. Hostile text in it stays text."""
    page = (await http.get(f"/device?user_code={CODE}")).text
    assert f'value="{CODE}"' in page
    assert "Check that your device shows this code." in page
    hostile = (await http.get('/device?user_code="><script>alert(1)</script>')).text
    assert "<script>alert" not in hostile
    assert not [call for call in people.world.bus.calls if isinstance(call, VerifyUserCode)]


async def test_the_page_names_client_place_and_code(
    http: httpx.AsyncClient, people: People
) -> None:
    """It says what the client may do, and what to do if somebody sent the code."""
    page = await post(http, "/device", user_code=" bcdf ghjk ")
    assert last(people, VerifyUserCode).user_code == "bcdf ghjk"
    assert page.status_code == 200
    for text in (
        "&lt;b&gt;Tool&lt;/b&gt;", "tool.example", CODE, "198.51.100.7", "See your e-mail address",
        "notes:write", "This browser has another address.", "refuse: they would be signed in as you",
    ):  # fmt: skip
        assert text in page.text, text
    assert "<b>Tool</b>" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("consent", ["allow", "deny"])
async def test_the_decision(http: httpx.AsyncClient, people: People, consent: str) -> None:
    """It goes to the pending request, from the session that saw the page."""
    page = await post(http, "/device", user_code=CODE)
    token = TOKEN.search(page.text)
    assert token
    decided = {"allow": "device_approved", "deny": "device_denied"}[consent]
    people.authorization = Authorization(kind=decided, client_name="Tool")
    answer = await http.post(
        "/oauth2/authorize/resume", data={"csrf": token[1], "request": "r1", "consent": consent}
    )
    sent = last(people, ResumeAuthorization)
    assert (sent.request, sent.consent) == ("r1", consent)
    heading = {"allow": "You&#39;re signed in on the device", "deny": "The device was refused"}
    assert heading[consent] in answer.text


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (UserCodeUnknown(), 422, "This code is wrong or has expired."),
        (RateLimited(retry_after=30), 429, "Too many attempts."),
    ],
)
async def test_wrong_codes(
    http: httpx.AsyncClient, people: People, error: Problem, status: int, says: str
) -> None:
    """The form comes again with what was typed, and says what to do."""

    async def refuse(*_: object) -> Authorization:
        raise error

    people.world.bus.serve(people, {VerifyUserCode: refuse})
    page = await post(http, "/device", user_code="WRNG-WRNG")
    assert (page.status_code, says in page.text) == (status, True)
    assert 'value="WRNG-WRNG"' in page.text


async def test_without_the_setting_there_is_no_page(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant
) -> None:
    people = People(world)
    await signed_in(http, world, app)
    assert (await http.get("/device")).status_code == 404
    await http.get("/account/apps")
    assert not [one for one in people.world.bus.calls if isinstance(one, ListMyDeviceSignIns)]


async def test_devices_of_the_account(http: httpx.AsyncClient, people: People) -> None:
    """Those that are signed in are listed and signed out. A second press says that it is done."""
    people.devices = [
        DeviceSignIn(
            id=new_id(),
            client_id="c",
            client_name=f"Tool {state}",
            state=state,
            created_at=datetime.now(UTC),
        )
        for state in ("signed_in", "approved", "ended", "denied")
    ]
    page = (await http.get("/account/apps")).text
    assert [f"Tool {one}" in page for one in ("signed_in", "approved", "ended", "denied")] == [
        True, True, False, False,
    ]  # fmt: skip
    id = people.devices[0].id
    gone = await post(http, "/account/apps/devices", "/account/apps", device_id=id)
    assert gone.headers["location"] == "/account/apps?done=device"
    again = await post(http, "/account/apps/devices", "/account/apps", device_id=id)
    assert (again.status_code, "already signed out" in again.text) == (422, True)


async def test_the_endpoint(http: httpx.AsyncClient, people: People) -> None:
    """The answer of oidc, not cached; its errors as RFC 6749 section 5.2 wants them."""

    async def start(*_: object) -> DeviceAuthorization:
        return DeviceAuthorization(
            device_code="dc",
            user_code=CODE,
            verification_uri="u",
            verification_uri_complete="uc",
            expires_in=600,
            interval=5,
        )

    people.world.bus.serve(people, {StartDeviceAuthorization: start})
    answer = await http.post("/oauth2/device_authorization", data=FORM)
    assert answer.json()["user_code"] == CODE
    assert answer.headers["cache-control"] == "no-store"
    assert (await http.get("/oauth2/device_authorization")).status_code == 405
    refused = await http.post("/oauth2/device_authorization", json=FORM)
    assert refused.json()["error"] == "invalid_request"


@pytest.mark.parametrize(("error", "charged"), [(AuthorizationPending, False), (SlowDown, True)])
async def test_polls_in_time_are_not_charged(
    http: httpx.AsyncClient,
    people: People,
    gateway_app: GatewayApp,
    error: type[Problem],
    charged: bool,
) -> None:
    """A public client that polls in time has presented a valid device code: it uses up no limit."""

    async def wait(*_: object) -> Tokens:
        raise error

    people.world.bus.serve(people, {ExchangeToken: wait})
    form = FORM | {"grant_type": DEVICE_CODE, "device_code": "dc"}
    answer = await http.post("/oauth2/token", data=form)
    assert answer.json()["error"] == error.code
    assert bool(len(gateway_app.gateway.limits.buckets)) == charged
