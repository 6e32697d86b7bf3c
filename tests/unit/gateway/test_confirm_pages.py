"""Confirming who you are before a sensitive change, with fake services."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.fake_providers import PROVIDER_URL, STATE, FakeProviders
from tests.kit.fake_services import FakeServices
from tests.kit.people import CODE, EMAIL, People
from tests.unit.gateway.test_pages import change_settings, post, signed_in

from common.contracts.email_codes import ConfirmWithCode, SignInWithCode, StartEmailCode
from common.contracts.passwords import Reauthenticate
from common.contracts.provider_sign_in import ProviderOutcome, StartProviderStepUp
from common.contracts.tenants import Tenant

PAGE = "/login/confirm?return_to=/account/email"
WAYS = {
    "password": 'name="password"',
    "passkey": "/api/auth/passkey/confirm",
    "provider": 'name="idp" value="acme"',
    "mail": 'action="/login/confirm/send"',
}
"""What the page has for each way."""


def ways(page: str) -> list[str]:
    """Returns the ways of the page, from top to bottom."""
    places = {way: page.find(mark) for way, mark in WAYS.items()}
    return sorted((way for way in places if places[way] >= 0), key=lambda way: places[way])


async def test_every_way_of_the_user_is_offered(
    http: httpx.AsyncClient,
    world: FakeServices,
    app: Tenant,
    people: People,
    providers: FakeProviders,
) -> None:
    """The passkey comes first. A mailed code is for users without a password, and only where the
    application signs people in by one. No form asks for an address."""
    await signed_in(http, world, app, second_factors=["passkey"])
    assert ways((await http.get(PAGE)).text) == ["passkey", "password", "provider"]
    people.has_password = False
    page = (await http.get(PAGE)).text
    assert ways(page) == ["passkey", "provider", "mail"]
    assert 'name="email"' not in page


@pytest.mark.parametrize(
    ("methods", "offered"), [(["passkey", "oauth"], ["provider"]), (["email_code"], ["mail"])]
)
async def test_the_application_has_the_way(
    http: httpx.AsyncClient,
    world: FakeServices,
    app: Tenant,
    people: People,
    providers: FakeProviders,
    methods: list[str],
    offered: list[str],
) -> None:
    """A provider or a code that the application does not use confirms nobody."""
    change_settings(world, app, auth_methods=methods)
    people.has_password = False
    await signed_in(http, world, app)
    assert ways((await http.get(PAGE)).text) == offered


async def test_a_provider_that_cannot_confirm_has_no_button(
    http: httpx.AsyncClient,
    world: FakeServices,
    app: Tenant,
    people: People,
    providers: FakeProviders,
) -> None:
    """It is disabled, or it cannot say when it last asked for a credential. A user who has no other
    way signs in again."""
    providers.identity = providers.identity.model_copy(update={"can_confirm": False})
    change_settings(world, app, auth_methods=["password", "oauth"])
    await signed_in(http, world, app)
    assert ways((await http.get(PAGE)).text) == ["password"]
    people.has_password = False
    answer = await http.get(PAGE)
    assert answer.headers["location"].startswith("/login?again=1&")


async def test_the_provider_confirms(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The form leads to the provider, and names where the user was going."""
    await signed_in(http, world, app)
    fields = {"return_to": "/account/email", "idp": "acme"}
    answer = await post(http, "/login/confirm/provider", PAGE, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, PROVIDER_URL)
    (call,) = providers.calls(StartProviderStepUp)
    assert (call.idp, call.destination) == ("acme", "/account/email")
    assert call.browser == http.cookies["aero2_browser"]

    assert (await http.get("/login/confirm/provider?idp=acme")).status_code in (404, 405)
    assert len(providers.calls(StartProviderStepUp)) == 1


async def test_a_provider_that_is_away_leaves_the_other_ways(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The page says so, and still has the password."""
    await signed_in(http, world, app)
    providers.away = True
    fields = {"return_to": "/account/email", "idp": "acme"}
    answer = await post(http, "/login/confirm/provider", PAGE, **fields)
    assert answer.status_code == 503
    assert ways(answer.text) == ["password", "provider"]
    assert 'role="alert"' in answer.text


async def test_an_answer_without_a_time_leads_to_the_other_ways(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """One sentence, and a link to the page with the other ways."""
    providers.outcome = ProviderOutcome(
        kind="failed", failure="not_fresh", provider="Acme", destination="/account/email"
    )
    await signed_in(http, world, app)
    answer = await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    assert "ask you to sign in again" in answer.text
    assert 'href="/login/confirm?return_to=%2Faccount%2Femail"' in answer.text


async def test_a_code_to_the_own_address_confirms(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, people: People
) -> None:
    """The code goes to the account's address, whatever the form says. It confirms the session and signs
    nobody in. A wrong code does not."""
    people.has_password = False
    await signed_in(http, world, app)
    fields = {"return_to": "/account/email", "email": "eve@example.com"}
    mailed = await post(http, "/login/confirm/send", PAGE, **fields)
    where = mailed.headers["location"]
    assert where == "/login/confirm/code?return_to=%2Faccount%2Femail"
    page = (await http.get(where)).text
    assert EMAIL in page
    assert "Use another address" not in page
    wrong = await post(
        http, "/login/confirm/code", where, code="000000", return_to="/account/email"
    )
    assert wrong.status_code == 422
    done = await post(http, "/login/confirm/code", where, code=CODE, return_to="/account/email")

    assert done.headers["location"] == "/account/email"
    assert any("aero2_session=tok" in one for one in done.headers.get_list("set-cookie"))
    calls = world.bus.calls
    assert [one.email for one in calls if isinstance(one, StartEmailCode)] == [EMAIL]
    assert sum(isinstance(one, ConfirmWithCode) for one in calls) == 2
    assert not any(isinstance(one, SignInWithCode | Reauthenticate) for one in calls)


async def test_without_a_mail_there_is_no_code_to_enter(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, people: People
) -> None:
    """The page leads back to the ways."""
    people.has_password = False
    await signed_in(http, world, app)
    answer = await http.get("/login/confirm/code?return_to=/account/email")
    assert answer.headers["location"] == "/login/confirm?return_to=%2Faccount%2Femail"
