"""Everything stops, with NATS and Postgres, and starts again on the same data.

Credentials that were used, rotated, revoked or ended stay invalid. The others stay valid.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from tests.kit.deployments import Shape
from tests.kit.system import PASSWORD, Browser, System, fresh_email

GRACE = 10.0
"""Seconds in which the direct predecessor of a refresh token leads to the same successor."""
CALLBACK = "https://rp.example.com/cb"
pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


def stopped(system: System) -> None:
    """Stops the deployment as a person does."""
    system.deployment.pause()


def killed(system: System) -> None:
    """Kills every process at once, as a power failure does."""
    system.deployment.kill_everything()


@dataclass
class Client:
    """A relying party."""

    http: httpx.AsyncClient
    auth: tuple[str, str]

    async def token(self, **params: str) -> httpx.Response:
        return await self.http.post("/oauth2/token", data=params, auth=self.auth)

    async def redeem(self, code: str) -> httpx.Response:
        return await self.token(grant_type="authorization_code", code=code, redirect_uri=CALLBACK)

    async def refresh(self, token: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=token)

    async def refreshed(self, token: str) -> dict[str, Any]:
        answer = await self.refresh(token)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def lives(self, access_token: str) -> int:
        headers = {"authorization": f"Bearer {access_token}"}
        return (await self.http.get("/oauth2/userinfo", headers=headers)).status_code

    async def code(self, browser: Browser) -> str:
        given = {
            "client_id": self.auth[0],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid offline_access",
        }
        page = await browser.get(f"/oauth2/authorize?{urlencode(given)}")
        return parse_qs(urlsplit(page.url).query)["code"][0]

    async def tokens(self, browser: Browser) -> dict[str, Any]:
        answer = await self.redeem(await self.code(browser))
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made


async def registered(system: System, http: httpx.AsyncClient, **fields: Any) -> Client:
    new = {"name": "RP", "redirect_uris": [CALLBACK], "require_pkce": False, "first_party": True}
    async with system.backend() as api:
        made = (await api.post("/api/clients", json=new | fields)).json()
    return Client(http, (made["client_id"], made["client_secret"]))


@pytest.fixture
async def own(shape: Shape, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment of the test's own, which it stops."""
    system = System.start(shape, tmp_path / "data")
    yield system
    with suppress(ProcessLookupError):
        system.stop()


async def mailed(system: System, http: httpx.AsyncClient, email: str) -> tuple[dict[str, str], str]:
    """Asks for a code and returns it with the link of the same mail."""
    flow = await http.post("/api/auth/code", json={"email": email})
    assert flow.status_code == 202, flow.text
    code = await system.mailed_code(email)
    link = re.search(r"/login/link\?token=([\w-]+)", (await system.mails(email))[0]["text"])
    assert link is not None
    return {"flow": flow.json()["flow"], "code": code}, link[1]


async def session(system: System, cookies: dict[str, str]) -> int:
    async with system.http(cookies=cookies) as http:
        return (await http.get("/api/auth/session")).status_code


@pytest.mark.fault("F31")
@pytest.mark.parametrize("end", [stopped, killed])
async def test_what_was_dead_stays_dead(own: System, end: Callable[[System], None]) -> None:
    """A used code, rotated refresh tokens, revoked tokens, an ended session, a used mail code and
    its link stay invalid (compare CVE-2026-9802). A valid one of each kind still works, so the
    refusals have no other cause."""
    email = fresh_email()
    headers = {"origin": own.origin("demo")}
    async with own.backend() as api:
        made = await api.post(
            "/api/users", json={"email": email, "email_verified": True, "password": PASSWORD}
        )
        assert made.status_code == 201
    async with (
        own.browser() as ada,
        own.browser() as left,
        own.http() as rp,
        own.http(headers=headers) as asking,
        own.http(headers=headers) as waiting,
    ):
        for browser in (ada, left):
            await browser.sign_in(email, PASSWORD)
        client = await registered(own, rp)
        opaque = await registered(own, rp, access_token_format="opaque")

        used = await client.code(ada)
        assert (await client.redeem(used)).status_code == 200
        reused = await client.tokens(ada)
        child = await client.refreshed(reused["refresh_token"])
        grandchild = await client.refreshed(child["refresh_token"])
        late = await client.tokens(ada)
        await client.refreshed(late["refresh_token"])
        rotated = time.monotonic()
        dead, living = [], []
        for party in (client, opaque):
            dead.append((await party.tokens(ada))["access_token"])
            living.append((await party.tokens(ada))["access_token"])
            answer = await rp.post("/oauth2/revoke", data={"token": dead[-1]}, auth=party.auth)
            assert answer.status_code == 200
        whole = await client.tokens(ada)
        answer = await rp.post(
            "/oauth2/revoke", data={"token": whole["refresh_token"]}, auth=client.auth
        )
        assert answer.status_code == 200

        cookie = dict(left.http.cookies)
        assert await session(own, cookie) == 200
        page = await left.get("/logout")
        await left.submit(page, page.form("confirm"), confirm="1")
        spent, link = await mailed(own, asking, email)
        assert (await asking.post("/api/auth/code/verify", json=spent)).status_code == 200
        pending, _ = await mailed(own, waiting, fresh_email())
        unused = await client.code(ada)

        end(own)
        own.deployment.resume()

        assert (await client.redeem(unused)).status_code == 200, "a code that lives"
        again = await client.redeem(used)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        assert [await client.lives(token) for token in living] == [200, 200]
        assert [await client.lives(token) for token in dead] == [401, 401]
        assert await client.lives(whole["access_token"]) == 401
        assert (await client.refresh(whole["refresh_token"])).json()["error"] == "invalid_grant"

        next_ = await client.refreshed(grandchild["refresh_token"])
        assert (await client.refresh(reused["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await client.refresh(next_["refresh_token"])).status_code == 400, "a stolen family"
        await asyncio.sleep(max(0.0, rotated + GRACE + 1 - time.monotonic()))
        assert (await client.refresh(late["refresh_token"])).json()["error"] == "invalid_grant"

        assert await session(own, dict(ada.http.cookies)) == 200
        assert await session(own, cookie) == 401
        answer = await asking.post("/api/auth/code/verify", json=spent)
        assert answer.status_code in (400, 410), answer.text
        answer = await asking.post("/api/auth/link", json={"token": link})
        assert answer.status_code in (400, 410), answer.text
        assert (await waiting.post("/api/auth/code/verify", json=pending)).status_code == 200
