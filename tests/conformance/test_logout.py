"""The RP-initiated, back-channel and front-channel logout plans."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import secrets
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import jwt
import pytest
from tests.conformance.conftest import ALIAS, CALLBACK, POST_LOGOUT, VSCHAR, Client, Suite
from tests.kit.deployments import Ability
from tests.kit.nats_server import PATIENCE
from tests.kit.system import PASSWORD, Browser, Page, System
from tests.service.oidc.test_logout import Listener

from common.ids import new_id


async def logout(suite: Suite, *, confirm: bool = True, **params: Any) -> Page:
    """Signs out through the browser. The user confirms if they are asked."""
    given = {name: value for name, value in params.items() if value is not None}
    page = await suite.browser.get(f"{suite.provider['end_session_endpoint']}?{urlencode(given)}")
    if confirm and not page.away and any("confirm" in form.offered for form in page.forms):
        page = await suite.browser.submit(page, page.form("confirm"), confirm="1")
    return page


async def signed_in(suite: Suite) -> bool:
    """Tells whether prompt=none still succeeds."""
    return "code" in (await suite.authorize(prompt="none")).fields


def back(page: Page) -> dict[str, str]:
    """Returns the parameters of the redirect, or of the page that leads on."""
    url = page.url
    if not page.away:
        onward = re.search(r'href="([^"]+)" data-onward', page.text)
        assert onward is not None, page.text[:2000]
        url = html.unescape(onward[1])
    assert url.split("?")[0] == POST_LOGOUT, url
    return dict(parse_qsl(urlsplit(url).query))


async def test_oidcc_rp_initiated_logout(fresh: Suite) -> None:
    """The user is redirected at once, with state and nothing else. Then prompt=none fails."""
    tokens = await fresh.tokens()
    page = await logout(
        fresh, id_token_hint=tokens["id_token"], post_logout_redirect_uri=POST_LOGOUT, state=VSCHAR
    )

    assert page.away
    assert back(page) == {"state": VSCHAR}
    refused = await fresh.authorize(prompt="none")
    assert refused.fields["error"] in ("login_required", "interaction_required")


async def test_oidcc_rp_initiated_logout_no_state(fresh: Suite) -> None:
    """Without `state` none comes back."""
    tokens = await fresh.tokens()
    page = await logout(
        fresh, id_token_hint=tokens["id_token"], post_logout_redirect_uri=POST_LOGOUT
    )

    assert back(page) == {}
    assert not await signed_in(fresh)


def forged(id_token: str) -> str:
    """Returns the same claims with alg none."""
    _, body, _ = id_token.split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}."


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bad-post-logout-redirect-uri", {"post_logout_redirect_uri": "https://evil.test/x"}),
        (
            "query-added-to-post-logout-redirect-uri",
            {"post_logout_redirect_uri": POST_LOGOUT + "?a=b"},
        ),
        ("bad-id-token-hint", {"id_token_hint": "nonsense"}),
        ("modified-id-token-hint", {"id_token_hint": None}),
        ("no-id-token-hint", {"id_token_hint": ""}),
    ],
    ids=lambda value: f"oidcc-rp-initiated-logout-{value}" if isinstance(value, str) else "",
)
async def test_oidcc_rp_initiated_logout_never_redirects(
    fresh: Suite, name: str, changes: dict[str, Any]
) -> None:
    """The answer is an error, or a question after which nobody is redirected."""
    tokens = await fresh.tokens()
    params = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": POST_LOGOUT}
    if name == "modified-id-token-hint":
        changes = {"id_token_hint": forged(tokens["id_token"])}
    given = {key: value for key, value in (params | changes).items() if value}
    page = await logout(fresh, state="s", **given)

    assert not page.away
    assert page.response.status_code in (200, 400)
    assert '"https://evil.test' not in page.text
    if name.endswith("id-token-hint"):
        assert not await signed_in(fresh)  # the person was asked and said yes
    else:
        assert await signed_in(fresh)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("no-params", {}),
        ("no-post-logout-redirect-uri", {"id_token_hint": "hint", "state": "s"}),
        ("only-state", {"state": "s"}),
    ],
    ids=lambda value: f"oidcc-rp-initiated-logout-{value}" if isinstance(value, str) else "",
)
async def test_oidcc_rp_initiated_logout_shows_a_page(
    fresh: Suite, name: str, given: dict[str, Any]
) -> None:
    """The user is signed out, and the page says so."""
    tokens = await fresh.tokens()
    if "id_token_hint" in given:
        given = given | {"id_token_hint": tokens["id_token"]}
    page = await logout(fresh, **given)

    assert not page.away
    assert page.response.status_code == 200
    assert not await signed_in(fresh)


async def test_without_a_hint_the_user_is_asked_first(fresh: Suite) -> None:
    """The user is asked first."""
    await fresh.tokens()
    await logout(fresh, confirm=False)

    assert await signed_in(fresh)


async def test_oidcc_frontchannel_rp_initiated_logout(fresh: Suite) -> None:
    """The page loads the client's address with iss and sid in a frame, and then leads on."""
    client = fresh.clients["frontchannel"]
    tokens = await fresh.tokens(client)
    page = await logout(
        fresh, id_token_hint=tokens["id_token"], post_logout_redirect_uri=POST_LOGOUT, state=VSCHAR
    )

    assert not page.away, "a page has to load the frames"
    frame = re.search(r'<iframe[^>]* src="([^"]+)"', page.text)
    assert frame is not None, page.text
    told = urlsplit(html.unescape(frame[1]))
    assert told._replace(query="").geturl() == f"{ALIAS}/frontchannel_logout"
    assert dict(parse_qsl(told.query)) == {"iss": fresh.issuer, "sid": tokens["claims"]["sid"]}
    assert back(page) == {"state": VSCHAR}
    assert "code" not in (await fresh.authorize(client, prompt="none")).fields


async def test_oidcc_backchannel_rp_initiated_logout(fresh: Suite) -> None:
    """The logout token arrives before the browser is redirected. It is signed, with events, sub and
    sid, and no nonce. Sign-out on our own page sends one too."""
    listener = Listener()
    client = await hearing(fresh, listener)
    tokens = await fresh.tokens(client)
    page = await logout(
        fresh, id_token_hint=tokens["id_token"], post_logout_redirect_uri=POST_LOGOUT, state="s"
    )
    assert back(page) == {"state": "s"}
    (token,) = listener.received
    assert listener.fields == [{"logout_token": token}]
    assert listener.heads[0].startswith("POST ")
    assert "\ncontent-type: application/x-www-form-urlencoded" in listener.heads[0].lower()
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    claims = await fresh.verified(token, client)
    assert (type(claims["iat"]), type(claims["jti"])) == (int, str)
    assert 0 < claims["exp"] - claims["iat"] <= 120
    assert (claims["sub"], claims["sid"]) == (tokens["claims"]["sub"], tokens["claims"]["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in claims
    assert "code" not in (await fresh.authorize(client, prompt="none")).fields

    await fresh.tokens(client)
    page = await fresh.browser.get("/logout")
    await fresh.browser.submit(page, page.form("confirm"), confirm="1")
    await heard(listener, 2)


async def hearing(suite: Suite, listener: Listener) -> Client:
    """Returns a client with a back-channel address."""
    suite.system.deployment.require(Ability.CALL_THIS_MACHINE)
    async with suite.system.backend() as api:
        made = await api.post(
            "/api/clients",
            json={
                "name": "Back-channel",
                "redirect_uris": [CALLBACK],
                "post_logout_redirect_uris": [POST_LOGOUT],
                "require_pkce": False,
                "first_party": True,
                "id_token_claims": "asked",
                "backchannel_logout_uri": await listener.start(),
            },
        )
    return Client(made.json()["client_id"], made.json()["client_secret"], "client_secret_basic")


async def heard(listener: Listener, number: int) -> None:
    """Returns when this many logout tokens have arrived, and checks that there are no more."""
    async with asyncio.timeout(PATIENCE):
        while len(listener.received) < number:
            await asyncio.sleep(0.05)
    listener.server.close()
    assert len(listener.received) == number


@pytest.mark.parametrize(
    "ending",
    [
        "the administrator deletes the user",
        "the administrator disables the user",
        "the administrator signs the user out",
        "the administrator asks for a new password",
        "the user deletes themselves",
        "the user signs out everywhere",
        "the user signs out elsewhere",
        "the user changes their password elsewhere",
    ],
)
async def test_a_client_is_told_of_a_session_that_ends_elsewhere(fresh: Suite, ending: str) -> None:
    """A logout token is also sent if the session ends elsewhere (Back-Channel Logout 1.0)."""
    system, email, listener = fresh.system, f"{secrets.token_hex(6)}@example.com", Listener()
    headers = {"origin": system.origin("demo")}
    async with system.backend() as api, system.http(headers=headers) as there:
        answer = await api.post(
            "/api/users", json={"email": email, "email_verified": True, "password": PASSWORD}
        )
        user = f"/api/users/{answer.json()['id']}"
        client = await hearing(fresh, listener)
        tokens = await replace(fresh, email=email).tokens(client)
        signed = await there.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
        assert signed.status_code == 200
        done = {
            "the administrator deletes the user": partial(api.delete, user),
            "the administrator disables the user": partial(api.post, f"{user}/disable"),
            "the administrator signs the user out": partial(api.delete, f"{user}/sessions"),
            "the administrator asks for a new password": partial(api.post, f"{user}/force-reset"),
            "the user deletes themselves": partial(
                there.post, "/api/users/me/delete", json={"password": PASSWORD}
            ),
            "the user signs out everywhere": partial(
                there.post, "/api/sessions/revoke-all", json={}
            ),
            "the user signs out elsewhere": partial(there.delete, "/api/sessions"),
            "the user changes their password elsewhere": partial(
                there.put,
                "/api/users/me/password",
                json={"current": PASSWORD, "password": PASSWORD + " two"},
            ),
        }
        answer = await done[ending]()
        assert answer.status_code in (200, 202, 204), answer.text

    await heard(listener, 1)
    claims = await fresh.verified(listener.received[0], client)
    assert (claims["sub"], claims["sid"]) == (tokens["claims"]["sub"], tokens["claims"]["sid"])


async def test_a_logout_token_names_the_issuer_of_the_sign_in(fresh: Suite) -> None:
    """A custom domain is another issuer with its own discovery, tokens and logout. It does not
    matter where the session ends."""
    system, listener = fresh.system, Listener()
    host = await own_domain(system)
    client = await hearing(fresh, listener)
    async with system.http(base_url=f"http://{host}") as http:
        provider = (await http.get("/.well-known/openid-configuration")).json()
        assert provider["issuer"] == f"http://{host}" != fresh.issuer
        there = replace(fresh, http=http, provider=provider)
        async with system.http(base_url=f"http://{host}") as jar:
            there.browser = Browser(system, provider["issuer"], jar)
            tokens = await there.tokens(client)
            async with system.backend() as api:  # on the main host
                answer = await api.delete(f"/api/users/{fresh.user_id}/sessions")
                assert answer.status_code == 200
            await heard(listener, 1)
            claims = await there.verified(listener.received[0], client)

    assert claims["iss"] == provider["issuer"]
    assert (claims["sub"], claims["sid"]) == (tokens["claims"]["sub"], tokens["claims"]["sid"])


async def own_domain(system: System) -> str:
    """Adds a custom domain to the demo application, as if it were proven, and returns its host."""
    domain = f"login.acme-{system.domain.split(':')[0]}"
    db = await asyncpg.connect(system.deployment.owner_dsn())
    await db.execute(
        "INSERT INTO custom_domains (id, app_id, domain, verification_token, verified_at)"
        " VALUES ($1, $2, $3, 't', now())",
        new_id(),
        system.demo["app_id"],
        domain,
    )
    await db.close()
    return f"{domain}:{system.deployment.port}"
