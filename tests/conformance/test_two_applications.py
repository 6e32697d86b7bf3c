"""Two applications on one platform, with users of the same address and clients of the same shape.
Credentials of one are unknown to the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest_asyncio
from tests.conformance.conftest import CALLBACK, POST_LOGOUT, SCOPES, Client, Suite
from tests.kit.nats_server import PATIENCE
from tests.kit.system import PASSWORD, System

OPERATOR = {"email": "operator@example.com", "name": "Op", "password": PASSWORD}


@dataclass
class Shop:
    """The other application."""

    http: httpx.AsyncClient
    issuer: str
    client: Client

    async def post(self, path: str, client: Client | None = None, **data: str) -> httpx.Response:
        client = client or self.client
        auth = (client.client_id, client.client_secret)
        return await self.http.post(f"/oauth2/{path}", data=data, auth=auth)


@pytest_asyncio.fixture(scope="session")
async def made(system: System) -> dict[str, Any]:
    """Creates the application and its key as the platform's owner, once."""
    async with system.browser("dashboard") as owner:
        page = await owner.get(system.summary["owner_link"])
        await owner.submit(page, page.form("email", "password"), **OPERATOR)
        origin = {"origin": system.origin("dashboard")}
        new = {"name": "Shop", "slug": "shop"}
        answer = await owner.http.post("/api/applications", json=new, headers=origin)
        assert answer.status_code == 201, answer.text
        async with asyncio.timeout(PATIENCE):
            while True:
                found = (await owner.http.get("/api/applications/shop")).json()
                if found["state"] == "active":
                    break
                await asyncio.sleep(0.1)
        key = {"name": "tests", "key_type": "secret"}
        at = "/api/applications/shop/api-keys"
        answer = await owner.http.post(at, json=key, headers=origin)
        assert answer.status_code == 201, answer.text
    return {"key": answer.json()["key"]}


@pytest_asyncio.fixture
async def shop(system: System, made: dict[str, Any], fresh: Suite) -> AsyncIterator[Shop]:
    async with system.http("shop", headers={"authorization": f"Bearer {made['key']}"}) as api:
        new = {
            "name": "Suite client",
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [POST_LOGOUT],
            "scopes": SCOPES,
            "require_pkce": False,
        }
        client = (await api.post("/api/clients", json=new)).json()
        user = {"email": fresh.email, "email_verified": True, "password": PASSWORD}
        assert (await api.post("/api/users", json=user)).status_code in (201, 409)
    async with system.http("shop") as http:
        yield Shop(
            http,
            system.origin("shop"),
            Client(client["client_id"], client["client_secret"], "client_secret_basic"),
        )


async def test_codes_and_tokens_of_the_other(fresh: Suite, shop: Shop) -> None:
    """They are refused with any credentials, and nothing is revoked."""
    tokens = await fresh.tokens(scope="openid email offline_access")
    code = (await fresh.authorize()).code
    exchange: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
    }
    refresh: dict[str, Any] = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
    }
    for data in (exchange, refresh):
        answer = await shop.post("token", **data)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        answer = await shop.post("token", fresh.client, **data)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        answer = await fresh.token(shop.client, **data)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    for token in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        assert (await shop.post("introspect", token=token)).json() == {"active": False}
        assert (await shop.post("revoke", token=token)).json() == {}
        bearer = {"authorization": f"Bearer {token}"}
        for path in ("/oauth2/userinfo", "/api/users/me"):
            answer = await shop.http.get(path, headers=bearer)
            assert answer.status_code == 401
            assert fresh.user_id not in answer.text

    assert (await fresh.userinfo(tokens["access_token"])).status_code == 200
    assert (await fresh.token(**refresh)).status_code == 200
    assert (await fresh.token(**exchange)).status_code == 200


async def test_sessions_hints_and_pending_requests_of_the_other(fresh: Suite, shop: Shop) -> None:
    """A cookie, an ID token hint and a pending request of the other are unknown."""
    tokens = await fresh.tokens()
    silent = fresh.request(shop.client, prompt="none")
    cookies = "; ".join(f"{name}={value}" for name, value in fresh.browser.http.cookies.items())
    assert "session" in cookies
    answer = await shop.http.get("/oauth2/authorize", params=silent, headers={"cookie": cookies})
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (told["error"], told["iss"]) == (["login_required"], [shop.issuer])

    hinted = silent | {"id_token_hint": tokens["id_token"]}
    answer = await shop.http.get("/oauth2/authorize", params=hinted)
    assert "error=login_required" in answer.headers["location"]
    out = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": POST_LOGOUT}
    answer = await shop.http.get("/oauth2/logout", params=out, headers={"cookie": cookies})
    assert (answer.status_code, answer.headers.get("location")) == (200, None)
    assert "code" in (await fresh.authorize(prompt="none")).fields

    page = await fresh.browser.get(
        f"{fresh.provider['authorization_endpoint']}?{urlencode(fresh.request(prompt='login'))}"
    )
    waiting = parse_qs(urlsplit(page.url).query)["request"][0]
    answer = await shop.http.get("/oauth2/authorize/resume", params={"request": waiting})
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


async def test_a_client_of_the_other_is_a_client_of_nobody(fresh: Suite, shop: Shop) -> None:
    """The page is that of an unknown client, except for its name and the trace."""

    async def shown(client_id: str) -> list[str]:
        asked = fresh.request(fresh.client, client_id=client_id, state="s", nonce="n")
        answer = await shop.http.get("/oauth2/authorize", params=asked)
        assert answer.status_code == 400
        lines = answer.text.replace(client_id, "").splitlines()
        return [line for line in lines if "include this reference" not in line]

    there = await shown(fresh.client.client_id)
    assert there == await shown("client_" + "x" * 24)


async def test_metadata_and_keys_are_ones_own(fresh: Suite, shop: Shop) -> None:
    """No address of the other, no common key, and no key of the other by its kid."""
    found = (await shop.http.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == shop.issuer
    assert fresh.issuer not in str(found)
    theirs = (await shop.http.get("/oauth2/jwks.json")).json()["keys"]
    mine = (await fresh.http.get("/oauth2/jwks.json")).json()["keys"]
    assert not {key["kid"] for key in theirs} & {key["kid"] for key in mine}
    for key in mine:
        assert (await shop.http.get(f"/oauth2/jwks/{key['kid']}")).status_code == 404


async def test_a_refresh_and_a_revocation_at_once(fresh: Suite) -> None:
    """After the answer to the revocation no token of the grant works, in any order."""
    auth = (fresh.client.client_id, fresh.client.client_secret)
    for round_ in range(8):
        tokens = await fresh.tokens(scope="openid offline_access")

        async def revoke(token: str, wait: float) -> None:
            await asyncio.sleep(wait)
            data = {"token": token}
            answer = await fresh.http.post("/oauth2/revoke", data=data, auth=auth)
            assert answer.status_code == 200

        refresh: dict[str, Any] = {
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
        }
        refreshed, _ = await asyncio.gather(
            fresh.token(**refresh), revoke(tokens["refresh_token"], 0.002 * (round_ % 4))
        )
        given = [tokens] + ([refreshed.json()] if refreshed.status_code == 200 else [])
        for one in given:
            assert (await fresh.userinfo(one["access_token"])).status_code == 401
            again = refresh | {"refresh_token": one["refresh_token"]}
            assert (await fresh.token(**again)).json()["error"] == "invalid_grant"


async def test_a_refresh_and_a_logout_at_once(fresh: Suite) -> None:
    """The same is true of grants that end with the session."""
    for _ in range(5):
        tokens = await fresh.tokens()
        page = await fresh.browser.get("/logout")
        refresh: dict[str, Any] = {
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
        }
        refreshed, _ = await asyncio.gather(
            fresh.token(**refresh),
            fresh.browser.submit(page, page.form("confirm"), confirm="1"),
        )
        given = [tokens] + ([refreshed.json()] if refreshed.status_code == 200 else [])
        for one in given:
            assert (await fresh.userinfo(one["access_token"])).status_code == 401
            again = refresh | {"refresh_token": one["refresh_token"]}
            assert (await fresh.token(**again)).json()["error"] == "invalid_grant"


async def test_what_is_taken_away_between_two_steps(fresh: Suite) -> None:
    """A client, a secret or a user is removed between two steps of a sign-in."""
    async with fresh.system.backend() as api:

        async def client() -> tuple[str, Client]:
            new = {
                "name": "Short-lived",
                "redirect_uris": [CALLBACK],
                "require_pkce": False,
                "id_token_claims": "asked",
            }
            made = (await api.post("/api/clients", json=new | {"first_party": True})).json()
            shown = Client(made["client_id"], made["client_secret"], "client_secret_basic")
            return made["id"], shown

        at = fresh.provider["authorization_endpoint"]
        id, short = await client()
        page = await fresh.browser.get(f"{at}?{urlencode(fresh.request(short))}")
        await api.delete(f"/api/clients/{id}")
        page = await fresh.browser.submit(page, page.form("email"), email=fresh.email)
        assert (page.away, page.response.status_code) == (False, 400)

        id, short = await client()
        page = await fresh.browser.get(f"{at}?{urlencode(fresh.request(short))}")
        page = await fresh.browser.submit(page, page.form("email"), email=fresh.email)
        await api.delete(f"/api/clients/{id}")
        page = await fresh.browser.submit(page, page.form("password"), password=PASSWORD)
        assert (page.away, page.response.status_code) == (False, 400)

        id, short = await client()
        code = (await fresh.authorize(short)).code
        new = (await api.post(f"/api/clients/{id}/rotate-secret")).json()["client_secret"]
        assert (await fresh.redeem(code, short)).status_code == 401
        short = Client(short.client_id, new, short.method)
        assert (await fresh.redeem(code, short)).status_code == 200

        code = (await fresh.authorize(short)).code
        tokens = await fresh.tokens(short)
        assert (await api.post(f"/api/users/{fresh.user_id}/disable")).status_code == 200
        try:
            assert (await fresh.redeem(code, short)).json()["error"] == "invalid_grant"
            assert (await fresh.userinfo(tokens["access_token"])).status_code == 401
            refresh: dict[str, Any] = {
                "grant_type": "refresh_token",
                "refresh_token": tokens["refresh_token"],
            }
            assert (await fresh.token(short, **refresh)).json()["error"] == "invalid_grant"
        finally:
            assert (await api.post(f"/api/users/{fresh.user_id}/enable")).status_code == 200
        assert (await fresh.token(short, **refresh)).json()["error"] == "invalid_grant"
        assert (await fresh.userinfo(tokens["access_token"])).status_code == 401
