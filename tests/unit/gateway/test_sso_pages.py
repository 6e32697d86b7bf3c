"""Sign-in pages for users of organizations with a provider of their own."""

from __future__ import annotations

import html

import httpx
from tests.kit.fake_services import FakeServices
from tests.kit.people import EMAIL, PASSWORD, People
from tests.unit.gateway.test_pages import change_settings, post

from common.contracts.sign_in import SsoRequired
from common.contracts.tenants import Tenant


async def test_domain_leads_to_its_provider(http: httpx.AsyncClient, people: People) -> None:
    """An address of the organization's domain is sent to its provider with a hint, with or without an
    account. Another address goes on to the password."""
    people.sso_domain = "acme.example"
    targets = [
        (await post(http, "/login", email=email, return_to="/account/sessions")).headers["location"]
        for email in ("ada@acme.example", "nobody@acme.example")
    ]
    other = await post(http, "/login", email=EMAIL)

    assert targets == [
        "/rp/authorize?idp=acme&redirect_uri=%2Faccount%2Fsessions&login_hint=ada%40acme.example",
        "/rp/authorize?idp=acme&redirect_uri=%2Faccount%2Fsessions&login_hint=nobody%40acme.example",
    ]
    assert other.headers["location"] == "/login/password"


async def test_refusal_names_the_provider(http: httpx.AsyncClient, people: People) -> None:
    """A member who signs in another way reads which provider to use, and a button leads there. The
    pending request goes along."""
    await post(http, "/login", email=EMAIL)
    http.headers["accept"] = "text/html"
    people.sso_required = SsoRequired(idp="acme", idp_name="Acme <SSO>")
    page = await post(
        http,
        "/login/password",
        "/login/password?request=r1",
        email=EMAIL,
        password=PASSWORD,
        request="r1",
    )

    assert page.status_code == 403
    assert "Continue with Acme &lt;SSO&gt;" in page.text
    assert (
        "/rp/authorize?idp=acme&redirect_uri=%2Foauth2%2Fauthorize%2Fresume%3Frequest%3Dr1"
        in html.unescape(page.text)
    )
    people.sso_required = SsoRequired(idp=None, idp_name=None)
    page = await post(http, "/login/password", email=EMAIL, password=PASSWORD)
    assert "switched off at the moment" in page.text
    assert "/rp/authorize" not in page.text


async def test_route_as_json(http: httpx.AsyncClient, people: People) -> None:
    """The API says which provider an address leads to."""
    people.sso_domain = "acme.example"
    found = await http.post("/api/auth/provider", json={"email": "x@acme.example"})
    none = await http.post("/api/auth/provider", json={"email": EMAIL})

    assert (found.status_code, found.json()["idp"]["name"]) == (200, "acme")
    assert none.json() == {"idp": None}


async def test_an_address_leads_to_an_organization_without_another_way(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, people: People
) -> None:
    """The application uses only providers. The page asks for an address, because an organization has a
    provider. An address of no organization gets one sentence, whether it has an account or not."""
    change_settings(world, app, auth_methods=["oauth"])
    world.with_organization_providers.add(app.app_id)
    people.sso_domain = "acme.example"
    page = (await http.get("/login")).text
    assert 'name="email"' in page
    assert "Continue with your organization" in page
    sent = await post(http, "/login", email="ada@acme.example", return_to="/account/data")
    assert sent.headers["location"].startswith("/rp/authorize?idp=acme&redirect_uri=%2Faccount")
    known, unknown = [
        await post(http, "/login", email=email) for email in (EMAIL, "nobody@example.com")
    ]
    assert (known.status_code, unknown.status_code) == (422, 422)
    sentence = "No organization signs in with this address."
    assert (sentence in known.text, sentence in unknown.text) == (True, True)


async def test_without_a_provider_of_an_organization_no_address_is_asked(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, people: People
) -> None:
    """An address would lead nowhere."""
    change_settings(world, app, auth_methods=["oauth"])
    assert 'name="email"' not in (await http.get("/login")).text


async def test_without_the_method_no_address_is_asked(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, people: People
) -> None:
    """The organization's provider is no way in then."""
    change_settings(world, app, auth_methods=["passkey"])
    world.with_organization_providers.add(app.app_id)
    assert 'name="email"' not in (await http.get("/login")).text
