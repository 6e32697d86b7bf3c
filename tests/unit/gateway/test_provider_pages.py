"""The pages of signing in with identity providers, with fake services."""

from __future__ import annotations

import html
import re
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.kit.fake_providers import CODE, PROOF, PROVIDER_URL, STATE, FakeProviders
from tests.kit.fake_services import FakeServices
from tests.kit.people import EMAIL, People, person
from tests.kit.people import LINK as GOOD_LINK
from tests.unit.gateway.test_pages import TOKEN, change_settings, post, signed_in

from common.context import Context
from common.contracts.authorization import AuthorizationState
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    GetLinkProof,
    LinkProof,
    SendLinkProofCode,
)
from common.contracts.provider_sign_in import (
    Failure,
    FinishProviderSignIn,
    KeepFormPost,
    ProviderOutcome,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.contracts.sessions import SecondFactorChallenge, SignedInSession
from common.contracts.tenants import Tenant
from common.problems import Busy
from gateway.app import GatewayApp

LINK = re.compile(r'href="(/rp/authorize[^"]*)"')


def session(world: FakeServices, app: Tenant) -> SignedInSession:
    return SignedInSession(token="t_new", session=person(world, app, "t_new"))


def links(page: str) -> list[dict[str, str]]:
    """Returns the parameters of every link to a provider."""
    found = [urlsplit(html.unescape(link)).query for link in LINK.findall(page)]
    return [{name: values[0] for name, values in parse_qs(query).items()} for query in found]


async def test_sign_in_and_sign_up_have_a_button_for_each_provider(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """In the application's order, as links that keep the way. They need no script."""
    for path in ("/login", "/signup"):
        page = (await http.get(f"{path}?return_to=/account/data")).text
        assert links(page) == [
            {"idp": "acme", "return_to": "/account/data"},
            {"idp": "zoo", "return_to": "/account/data"},
        ]
        assert "Continue with" in page
        assert "Acme" in page


async def test_an_invitation_has_the_buttons(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """They carry the invitation to the start of the sign-in, and nothing else."""
    page = (await http.get(f"/invitation?token={GOOD_LINK}")).text
    assert links(page) == [
        {"idp": "acme", "invitation": GOOD_LINK},
        {"idp": "zoo", "invitation": GOOD_LINK},
    ]
    await http.get(f"/rp/authorize?idp=acme&invitation={GOOD_LINK}")
    (call,) = providers.calls(StartProviderSignIn)
    assert (call.invitation, call.destination) == (GOOD_LINK, "/account")


async def test_without_the_method_there_is_no_button(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The application does not use providers, although it has some."""
    change_settings(world, app, auth_methods=["password"])
    assert links((await http.get("/login")).text) == []


async def test_providers_alone_are_a_way_to_sign_in(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """Without passwords and mails, the buttons stand alone on the page."""
    change_settings(world, app, auth_methods=["oauth"])
    page = (await http.get("/login")).text
    assert len(links(page)) == 2
    assert 'name="email"' not in page
    assert "You can&#39;t sign in" not in page


async def test_the_list_of_providers_is_forgotten_when_one_changes(
    http: httpx.AsyncClient,
    world: FakeServices,
    app: Tenant,
    providers: FakeProviders,
    gateway_app: GatewayApp,
) -> None:
    """The list is cached until an invalidation message names a provider of the application."""
    assert len(links((await http.get("/login")).text)) == 2
    world.providers[app.app_id].pop()
    assert len(links((await http.get("/login")).text)) == 2
    gateway_app.gateway.invalidate(app.app_id, "identity_provider", "*")
    assert len(links((await http.get("/login")).text)) == 1


@pytest.mark.parametrize(
    ("asked", "destination"),
    [
        ("", "/account"),
        ("&redirect_uri=/dashboard", "/dashboard"),
        ("&return_to=/account/data", "/account/data"),
        ("&redirect_uri=https://evil.example/", "/account"),
        ("&redirect_uri=//evil.example", "/account"),
        ("&redirect_uri=/%5cevil.example", "/account"),
        ("&request=ar_1&redirect_uri=/x", "/oauth2/authorize/resume?request=ar_1"),
    ],
)
async def test_a_sign_in_leads_to_a_path_of_this_host_alone(
    http: httpx.AsyncClient, providers: FakeProviders, asked: str, destination: str
) -> None:
    """Or to the pending request. The browser is named by its cookie."""
    answer = await http.get(f"/rp/authorize?idp=acme{asked}")
    assert (answer.status_code, answer.headers["location"]) == (303, PROVIDER_URL)
    (call,) = providers.calls(StartProviderSignIn)
    assert call.destination == destination
    assert call.browser == http.cookies["aero2_browser"]


async def test_a_sign_in_for_a_request_that_is_over_does_not_start(
    http: httpx.AsyncClient, people: People, providers: FakeProviders
) -> None:
    """The page says so, and the provider is not bothered."""
    people.authorization_state = AuthorizationState(pending=False)
    answer = await http.get("/rp/authorize?idp=acme&request=ar_1")
    assert answer.status_code == 400
    assert providers.calls(StartProviderSignIn) == []


async def test_a_provider_that_does_not_exist_or_answer_gets_a_page(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """With the way back to the sign-in page."""
    unknown = await http.get("/rp/authorize?idp=nobody")
    assert unknown.status_code == 404
    assert 'href="/login?return_to=%2Faccount"' in unknown.text
    assert (await http.get("/rp/authorize?idp=NOT+A+NAME")).status_code == 404
    providers.away = True
    assert (await http.get("/rp/authorize?idp=acme")).status_code == 502


async def test_a_callback_signs_in(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The session's cookie is set, the user continues, and the provider comes first next time."""
    providers.outcome = ProviderOutcome(
        kind="signed_in", destination="/account/data", idp="zoo", session=session(world, app)
    )
    await http.get("/login")
    answer = await http.get(f"/rp/callback/zoo?code=c&state={STATE}&iss=https://idp.example&x=y")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/data")
    assert http.cookies["aero2_session"] == "t_new"
    (call,) = providers.calls(FinishProviderSignIn)
    assert (call.idp, call.state) == ("zoo", STATE)
    assert call.response == {"code": "c", "iss": "https://idp.example"}
    assert call.browser == http.cookies["aero2_browser"]
    http.cookies.delete("aero2_session")
    page = (await http.get("/login?add=1")).text
    assert [link["idp"] for link in links(page)] == ["zoo", "acme"]


async def test_a_callback_may_ask_for_a_second_factor(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """Its token goes into the cookie of half sessions."""
    expires = person(world, app, "t_x").expires_at
    half = SecondFactorChallenge(kind="mfa_required", factors=["totp"], expires_at=expires)
    providers.outcome = ProviderOutcome(
        kind="signed_in",
        destination="/account/data",
        session=SignedInSession(token="half", session=None, challenge=half),
    )
    await http.get("/login")
    answer = await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    assert answer.headers["location"] == "/login/second-factor?return_to=%2Faccount%2Fdata"
    assert http.cookies["aero2_half"] == "half"
    assert "aero2_session" not in http.cookies


async def test_a_callback_without_the_browsers_cookie_has_no_browser(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """No cookie is made up for it: identity refuses what no browser has started."""
    await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    (call,) = providers.calls(FinishProviderSignIn)
    assert call.browser is None


async def test_a_posted_response_comes_back_by_get(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """The post has neither cookies nor a form token. Its answer sets no cookie, which would replace
    those that the browser did not send, and carries nothing but the state."""
    body = {"code": "c", "state": STATE, "user": '{"name": {}}', "id_token": "unread"}
    answer = await http.post(
        "/rp/callback/acme", data=body, headers={"origin": "https://appleid.apple.com"}
    )
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/rp/callback/acme?state={STATE}",
    )
    assert "set-cookie" not in answer.headers
    (call,) = providers.calls(KeepFormPost)
    assert call.response == {"code": "c", "user": '{"name": {}}'}

    unknown = await http.post("/rp/callback/acme", data={"error": "access_denied"})
    assert (unknown.status_code, unknown.headers["location"]) == (303, "/rp/callback/acme")
    assert "set-cookie" not in unknown.headers


@pytest.mark.parametrize("failure", get_args(Failure))
async def test_every_failure_says_what_to_do(
    http: httpx.AsyncClient, providers: FakeProviders, failure: Failure
) -> None:
    """One sentence and one link, in both languages, without the provider's own words."""
    providers.outcome = ProviderOutcome(
        kind="failed", failure=failure, idp="acme", provider="Acme <b>", destination="/account/data"
    )
    for language in ("en", "de"):
        answer = await http.get(
            f"/rp/callback/acme?error=server_error&error_description=evil+words&state={STATE}",
            headers={"accept-language": language},
        )
        assert 400 <= answer.status_code < 503
        assert re.search(r'<a class="button primary" href="/[^"]+"', answer.text)
        assert "evil words" not in answer.text
        assert "<b>" not in answer.text.replace("<bdi>", "")
        assert "%(provider)s" not in answer.text


async def test_a_missing_or_long_state_gets_a_page(
    http: httpx.AsyncClient, providers: FakeProviders
) -> None:
    """Some providers send errors without the state."""
    for query in ("error=invalid_request", f"state={'s' * 300}&code=c", ""):
        answer = await http.get(f"/rp/callback/acme?{query}")
        assert answer.status_code == 410
        assert "Start again" in answer.text


async def test_an_address_is_asked_for_and_proven(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The provider sends none: the user enters it, enters the mailed code, and is signed in."""
    providers.link_proof = LinkProof(
        kind="address", idp="acme", provider="Acme", destination="/account/data"
    )
    providers.outcome = ProviderOutcome(kind="address_needed", link_proof=PROOF)
    await http.get("/login")
    sent = await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    assert sent.headers["location"] == "/login/connect"
    assert PROOF not in sent.headers["location"]
    page = (await http.get("/login/connect")).text
    assert 'name="email"' in page
    assert links(page) == [{"idp": "acme", "return_to": "/account/data", "select": "1"}]

    wrong = await post(http, "/login/connect/send", "/login/connect", email="nope")
    assert wrong.status_code == 422
    mailed = await post(http, "/login/connect/send", "/login/connect", email=EMAIL)
    assert mailed.headers["location"] == "/login/connect/code"
    refused = await post(http, "/login/connect/code", code="000000")
    assert refused.status_code == 422
    providers.outcome = ProviderOutcome(
        kind="signed_in", destination="/account/data", session=session(world, app)
    )
    done = await post(http, "/login/connect/code", code=CODE)
    assert done.headers["location"] == "/account/data"
    assert "aero2_link" not in http.cookies
    (call,) = providers.calls(SendLinkProofCode)
    assert (call.email, call.link_proof, call.proof) == (EMAIL, PROOF, None)


async def test_a_provider_confirms_who_the_user_is(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """On the page that asks a signed-in user to confirm, the buttons start a confirmation: another sign-in
    would not count as fresh. Without a user, or for a client's request, they start a sign-in."""
    start = "/rp/authorize?idp=acme&again=1&return_to=/account/data"
    await http.get(start)
    assert providers.calls(StartProviderStepUp) == []
    await signed_in(http, world, app)
    page = (await http.get("/login?again=1&return_to=/account/data")).text
    assert links(page)[0] == {"idp": "acme", "return_to": "/account/data", "again": "1"}
    assert (await http.get(start)).headers["location"] == PROVIDER_URL
    (call,) = providers.calls(StartProviderStepUp)
    assert (call.idp, call.destination) == ("acme", "/account/data")
    assert len(providers.calls(StartProviderSignIn)) == 1


async def test_a_proof_that_cannot_be_read_now_mails_nothing(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """If identity is busy, the page says so and the form can be sent again."""

    async def busy(fake: FakeProviders, ctx: Context, request: GetLinkProof) -> LinkProof:
        raise Busy

    providers.outcome = ProviderOutcome(kind="address_needed", link_proof=PROOF)
    await http.get("/login")
    await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    world.bus.serve(providers, {GetLinkProof: busy})
    answer = await post(http, "/login/connect/send", "/login", email=EMAIL)
    assert answer.status_code == 503
    assert providers.calls(SendLinkProofCode) == []


async def test_an_existing_account_is_proven_before_it_is_connected(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """By a mailed code, or by a sign-in of another kind and the user's own click."""
    providers.link_proof = LinkProof(
        kind="account", idp="acme", provider="Acme", email=EMAIL, destination="/account/data"
    )
    providers.outcome = ProviderOutcome(kind="account_needed", link_proof=PROOF)
    await http.get("/login")
    await http.get(f"/rp/callback/acme?code=c&state={STATE}")
    page = (await http.get("/login/connect")).text
    assert "You already have an account" in page
    assert "return_to=%2Flogin%2Fconnect" in page
    assert "E-mail me a code" in page

    await signed_in(http, world, app)
    page = (await http.get("/login/connect")).text
    assert "Connect and continue" in page
    assert providers.calls(ConnectProvenAccount) == []
    providers.outcome = ProviderOutcome(kind="linked", destination="/account/data", idp="acme")
    done = await post(http, "/login/connect")
    assert done.headers["location"] == "/account/data"
    assert len(providers.calls(ConnectProvenAccount)) == 1


async def test_another_users_form_connects_nothing(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """The form was shown to Ada, and Bob is signed in when it comes back. Without a form token nothing
    happens either."""
    providers.link_proof = LinkProof(
        kind="account", idp="acme", provider="Acme", email=EMAIL, destination="/account"
    )
    http.cookies.set("aero2_link", PROOF, domain="demo.localhost")
    await http.get("/login")
    await signed_in(http, world, app)
    token = TOKEN.search((await http.get("/login/connect")).text)
    assert token
    person(world, app, "t_bob", email="bob@example.com", name="Bob Burns")
    http.cookies.set("aero2_session", "t_bob", domain="demo.localhost")
    assert (await http.post("/login/connect", data={"csrf": token[1]})).status_code == 409
    assert (await http.post("/login/connect", data={})).status_code == 403
    assert providers.calls(ConnectProvenAccount) == []


async def test_a_spent_proof_gets_a_page(http: httpx.AsyncClient, providers: FakeProviders) -> None:
    """With and without its cookie."""
    assert (await http.get("/login/connect")).status_code == 410
    http.cookies.set("aero2_link", "old", domain="demo.localhost")
    await http.get("/login")
    assert (await http.get("/login/connect")).status_code == 410


async def test_the_account_page_connects_and_disconnects(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, providers: FakeProviders
) -> None:
    """It lists the connected accounts and offers the providers. A link alone starts nothing: only the
    user's own form does, and its policy lets it lead to the provider."""
    await signed_in(http, world, app)
    page = await http.get("/account/connections")
    assert "ada@home.example" in page.text
    assert "form-action" not in page.headers["content-security-policy"]
    crafted = await http.get("/account/connections?connect=acme")
    assert (crafted.status_code, providers.calls(StartProviderLink)) == (200, [])
    assert (await http.post("/account/connections", data={"connect": "acme"})).status_code == 403
    assert providers.calls(StartProviderLink) == []

    started = await post(http, "/account/connections", connect="acme")
    assert (started.status_code, started.headers["location"]) == (303, PROVIDER_URL)
    (call,) = providers.calls(StartProviderLink)
    assert call.destination == "/account/connections?done=connected"
    gone = await post(http, "/account/connections", disconnect=providers.identity.id)
    assert gone.headers["location"] == "/account/connections?done=disconnected"
    providers.last_way_in = True
    refused = await post(http, "/account/connections", disconnect=providers.identity.id)
    assert refused.status_code == 422
    assert "This is your only way to sign in." in refused.text
