"""The Dashboard's page of a client about token exchange: its policies and its grants."""

from __future__ import annotations

import html

import httpx
import pytest
from tests.kit.dashboard_clients import FakeClients, fake_clients
from tests.kit.developers import NOW, ORIGIN, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import is_inert

from common.contracts.clients import UpdateClient
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ExchangePolicyExists,
)
from common.contracts.identity_providers import IdentityProvider
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Forbidden, Invalid
from gateway.dashboard.client_exchange import GRANTS

AT = "/dashboard/applications/shop/clients/client_a/exchange"
HOSTILE = "<b>\"'> hx-get=/x"
FILES = "https://files.example.com"


@pytest.fixture
def fake(http: httpx.AsyncClient, world: FakeServices) -> FakeClients:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    fake = fake_clients(people)
    fake.add("client_a", name="Notes API")
    fake.add("client_b", name="App")
    fake.providers.append(
        IdentityProvider(
            id=new_id(),
            name="corp",
            display_name="Corp",
            client_id="c",
            created_at=NOW,
            updated_at=NOW,
        )
    )
    return fake


def created(fake: FakeClients) -> list[CreateExchangePolicy]:
    """Returns the policies that were created. The page itself reads, too."""
    return [call for call in fake.calls if isinstance(call, CreateExchangePolicy)]


def changes(fake: FakeClients) -> int:
    """Returns how many calls of the page change something."""
    return sum(not call.safe for call in fake.calls)


async def test_a_policy_is_added_and_deleted(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """The source is a client or an identity provider, and is shown by its name."""
    provider = fake.providers[0].id
    for source in ("client:client_b", f"provider:{provider}"):
        answer = await post(
            http,
            f"{AT}/new",
            f"{AT}/new",
            source=source,
            resources=f" {FILES} \r\n\r\n",
            scopes=" files.read  x ",
        )
        assert answer.headers["location"] == f"{AT}?done=created"
    first, second = created(fake)
    assert isinstance(first, CreateExchangePolicy)
    assert (first.subject_client, first.provider) == ("client_b", None)
    assert (first.resources, first.scopes) == ([FILES], ["files.read", "x"])
    assert (first.audience, first.audience_client_id) == (None, None)
    assert isinstance(second, CreateExchangePolicy)
    assert (second.subject_client, second.provider) == (None, provider)

    page = html.unescape((await http.get(f"{ORIGIN}{AT}")).text)
    assert "May exchange tokens" in page
    assert "App" in page
    assert "Corp" in page
    policy = fake.policies[0].id
    asked = await http.get(f"{ORIGIN}{AT}/{policy}/delete")
    assert "live on until they expire" in asked.text
    answer = await post(http, f"{AT}/{policy}/delete", AT)
    assert answer.headers["location"] == f"{AT}?done=deleted"
    assert isinstance(fake.calls[-1], DeleteExchangePolicy)
    assert fake.calls[-1].policy_id == policy
    assert (await http.get(f"{ORIGIN}{AT}/{policy}/delete")).status_code == 404


async def test_the_grants_are_switched(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """Only the two of this page change. The page says what the application has not switched on."""
    await post(http, AT, AT, token_exchange="on")
    change = fake.calls[-1]
    assert isinstance(change, UpdateClient)
    assert change.changes["grant_types"] == [
        "authorization_code",
        "refresh_token",
        GRANTS["token_exchange"],
    ]
    page = (await http.get(f"{ORIGIN}{AT}")).text
    assert "The application has not switched this on." in page
    await post(http, AT, AT)
    assert isinstance(fake.calls[-1], UpdateClient)
    assert fake.calls[-1].changes["grant_types"] == ["authorization_code", "refresh_token"]


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (ExchangePolicyExists(), 409, "has a policy for these tokens already"),
        (Forbidden("you do not hold x"), 409, "rights that you hold yourself"),
        (
            Invalid(errors=[field_error("resources.0", "resource_unknown")]),
            422,
            "Line 1: The application has no such resource.",
        ),
    ],
    ids=["exists", "rights", "field"],
)
async def test_a_refused_policy_keeps_what_was_typed(
    http: httpx.AsyncClient, fake: FakeClients, problem: Exception, status: int, sentence: str
) -> None:
    fake.problem = problem
    answer = await post(
        http,
        f"{AT}/new",
        f"{AT}/new",
        source="client:client_b",
        resources=FILES,
        audience="https://chat.example/",
    )
    text = html.unescape(answer.text)

    assert answer.status_code == status
    assert sentence in text
    assert f"{FILES}</textarea>" in answer.text
    assert '<option value="client:client_b" selected>' in answer.text
    assert 'value="https://chat.example/"' in answer.text


async def test_a_public_client_exchanges_nothing(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    """Its page says so, and offers neither a policy nor a grant."""
    fake.add("client_a", token_endpoint_auth_method="none")
    page = (await http.get(f"{ORIGIN}{AT}")).text

    assert "exchanges no tokens" in page
    assert f"{AT}/new" not in page
    assert "token_exchange" not in page


async def test_who_only_reads_changes_nothing(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """There are no buttons, the forms are refused, and providers that they may not see have no name."""
    await post(
        http, f"{AT}/new", f"{AT}/new", source=f"provider:{fake.providers[0].id}", resources=FILES
    )
    fake.people.permissions = ["clients:read"]
    page = (await http.get(f"{ORIGIN}{AT}")).text

    assert "/exchange/new" not in page
    assert "Corp" not in page
    assert (await http.get(f"{ORIGIN}{AT}/new")).status_code == 404
    before = changes(fake)
    for path in (f"{AT}/new", f"{AT}/{fake.policies[0].id}/delete", AT):
        answer = await post(http, path, AT, source="client:client_b")
        assert answer.status_code in (403, 404), path
    assert changes(fake) == before


async def test_hostile_names_are_text(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """Neither a client nor an address puts markup on the pages."""
    fake.add("client_b", name=HOSTILE)
    await post(
        http,
        f"{AT}/new",
        f"{AT}/new",
        source="client:client_b",
        resources=HOSTILE,
        audience=HOSTILE,
    )
    for path in (AT, f"{AT}/new", f"{AT}/{fake.policies[0].id}/delete"):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert is_inert(page.text)
