"""The Dashboard's page of how a client sends its requests."""

from __future__ import annotations

import html
import re

import httpx
import pytest
from tests.kit.dashboard_clients import FakeClients, fake_clients
from tests.kit.developers import ORIGIN, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.clients import UpdateClient
from common.field_errors import field_error
from common.problems import Invalid
from gateway.dashboard.client_security import ALGORITHMS, FLAGS

AT = "/dashboard/applications/shop/clients/client_a/security"


@pytest.fixture
def fake(http: httpx.AsyncClient, world: FakeServices) -> FakeClients:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    clients = fake_clients(people)
    clients.add("client_a")
    return clients


def update(fake: FakeClients) -> UpdateClient:
    call = fake.calls[-1]
    assert isinstance(call, UpdateClient)
    return call


async def edited(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Sends the form as a browser does that changed these fields."""
    page = (await http.get(f"{ORIGIN}{AT}")).text
    version = re.search(r'name="version" value="([^"]*)"', page)
    assert version is not None
    return await post(http, AT, AT, version=html.unescape(version[1]), **fields)


async def test_what_is_switched_is_changed(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """Only what differs is sent, and an empty choice is none."""
    page = (await http.get(f"{ORIGIN}{AT}")).text
    assert all(f'name="{name}"' in page for name in (*FLAGS, *ALGORITHMS))
    await edited(http, require_pushed_authorization_requests="on")
    assert update(fake).changes == {"require_pushed_authorization_requests": True}
    await edited(http, authorization_signed_response_alg="ES256")
    assert update(fake).changes["authorization_signed_response_alg"] == "ES256"


async def test_the_reason_of_a_refusal_stands_at_its_switch(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    """The application has it switched off: the page says so before, and the error after."""
    field = "require_pushed_authorization_requests"
    assert "settings have it switched off" in (await http.get(f"{ORIGIN}{AT}")).text
    fake.problem = Invalid(
        errors=[field_error(field, "setting_required", setting="pushed_authorization_requests")]
    )
    answer = await edited(http, **{field: "on"})
    assert answer.status_code == 422
    assert "setting pushed_authorization_requests must be on" in html.unescape(answer.text)
    assert f'id="{field}-error"' in answer.text


async def test_an_older_form_saves_nothing(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """Somebody else has changed the client since: the input is kept."""
    answer = await post(http, AT, AT, version="old", require_pushed_authorization_requests="on")
    assert answer.status_code == 412
    assert fake.calls == []


async def test_a_reader_sees_it_without_a_button(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    fake.people.permissions = ["clients:read"]
    page = (await http.get(f"{ORIGIN}{AT}")).text
    assert "Save changes" not in page
    assert "You may read this client, but not change it." in page


async def test_the_checklist_says_what_is_missing(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    """A demand that the switch meets by itself, and one that names its setting."""
    page = html.unescape((await http.get(f"{ORIGIN}{AT}")).text)
    listed = page[page.index('id="fapi-checklist"') :]
    assert "Switching it on changes this." in listed
    assert "token_endpoint_auth_method" in listed
    assert "FAPI 2.0 requires private_key_jwt" in listed


async def test_the_switch_sets_what_follows(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """On: with the algorithms and without rotation. Off: nothing else."""
    await post(http, f"{AT}/profile", AT, profile="fapi2")
    assert update(fake).changes == {
        "security_profile": "fapi2",
        "rotate_refresh_tokens": False,
        "id_token_alg": "ES256",
    }
    await post(http, f"{AT}/profile", AT, profile="")
    assert update(fake).changes == {"security_profile": None}


async def test_a_refused_switch_is_shown(http: httpx.AsyncClient, fake: FakeClients) -> None:
    fake.problem = Invalid(
        errors=[field_error("token_endpoint_auth_method", "fapi_needs_key_authentication")]
    )
    answer = await post(http, f"{AT}/profile", AT, profile="fapi2")
    assert answer.status_code == 422
    assert "requires private_key_jwt" in html.unescape(answer.text)
