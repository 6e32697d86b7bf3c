"""The Dashboard's list of clients by their source, and its page of self-registration."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.dashboard_clients import FakeClients, fake_clients
from tests.kit.dashboard_registration import TEXT, FakeRegistration, fake_registration
from tests.kit.developers import NOW, ORIGIN, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.app_settings import AppSettings
from common.contracts.client_registration import CreateInitialAccessToken, DeleteInitialAccessToken
from common.contracts.clients import ListClients

CLIENTS = "/dashboard/applications/shop/clients"
HOME = f"{CLIENTS}/registration"


@pytest.fixture
def clients(http: httpx.AsyncClient, world: FakeServices) -> FakeClients:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    return fake_clients(people)


@pytest.fixture
def fake(clients: FakeClients) -> FakeRegistration:
    return fake_registration(clients.people)


async def test_the_list_says_who_registered_a_client(
    http: httpx.AsyncClient, clients: FakeClients
) -> None:
    """The filter asks for one source, and a client of a stranger is marked."""
    clients.add("client_own", name="Shop")
    clients.add("client_agent", name="Agent", source="registered", last_used_at=NOW)
    whole = (await http.get(f"{ORIGIN}{CLIENTS}")).text
    filtered = (await http.get(f"{ORIGIN}{CLIENTS}?source=registered")).text
    call = clients.calls[-1]

    assert whole.count("Not verified") == 1
    assert ("client_own" in whole, "client_own" in filtered) == (True, False)
    assert "client_agent" in filtered
    assert isinstance(call, ListClients)
    assert call.source == "registered"
    assert (await http.get(f"{ORIGIN}{CLIENTS}?source=other")).status_code == 404


async def test_a_client_of_a_stranger_is_never_ones_own(
    http: httpx.AsyncClient, clients: FakeClients
) -> None:
    """Its page explains where it comes from, and has no switch for first_party."""
    clients.add("client_own", first_party=False)
    clients.add("client_agent", source="registered", first_party=False)
    own = (await http.get(f"{ORIGIN}{CLIENTS}/client_own")).text
    page = (await http.get(f"{ORIGIN}{CLIENTS}/client_agent")).text

    assert ('name="first_party"' in own, 'name="first_party"' in page) == (True, False)
    assert ("registered itself" in own, "registered itself" in page) == (False, True)


async def test_a_token_is_shown_once(http: httpx.AsyncClient, fake: FakeRegistration) -> None:
    """It stands in the answer to the form, and never in the list."""
    fake.settings = AppSettings(client_registration="token")
    shown = await post(http, HOME, HOME, name="CI", lifetime="30", max_clients="5")
    call = fake.calls[-1]
    listed = await http.get(f"{ORIGIN}{HOME}")

    assert isinstance(call, CreateInitialAccessToken)
    assert (call.name, call.expires_in, call.max_clients) == ("CI", 30 * 86_400, 5)
    assert TEXT in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert TEXT not in listed.text
    assert "With a token: a client needs one" in listed.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "", "lifetime": "7"}, 422),
        ({"name": "CI", "lifetime": "7", "max_clients": "many"}, 422),
        ({"name": "CI", "lifetime": "9999"}, 404),
    ],
)
async def test_mistakes_in_the_form(
    http: httpx.AsyncClient, fake: FakeRegistration, fields: dict[str, str], status: int
) -> None:
    """Nothing is created. A lifetime that the form does not offer makes no token."""
    answer = await post(http, HOME, HOME, **fields)

    assert answer.status_code == status
    assert fake.calls == []


async def test_a_token_is_revoked(http: httpx.AsyncClient, fake: FakeRegistration) -> None:
    """After a question that says what stays."""
    await post(http, HOME, HOME, name="CI", lifetime="7")
    at = f"{HOME}/{fake.tokens[0].id}/revoke"
    question = await http.get(f"{ORIGIN}{at}")
    answer = await post(http, at, at)

    assert "Clients that were registered with it stay" in question.text
    assert answer.headers["location"] == f"{HOME}?done=revoked"
    assert isinstance(fake.calls[-1], DeleteInitialAccessToken)
    assert fake.tokens == []


async def test_readers_see_no_form(
    http: httpx.AsyncClient, clients: FakeClients, fake: FakeRegistration
) -> None:
    """A developer who may only read sees the tokens, and creates none."""
    await post(http, HOME, HOME, name="CI", lifetime="7")
    clients.people.permissions = ["clients:read"]
    page = await http.get(f"{ORIGIN}{HOME}")

    assert page.status_code == 200
    assert "Create initial access token" not in page.text
    refused = await http.get(f"{ORIGIN}{HOME}/{fake.tokens[0].id}/revoke")
    assert refused.status_code == 404
