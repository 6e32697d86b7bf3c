"""Device authorization (RFC 8628) on the running platform: a terminal signs in while a browser approves.

The terminal is the program of docs/device-sign-in.md, as the page shows it.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser as Chromium
from tests.e2e.test_pages_in_chromium import person
from tests.kit.system import PASSWORD, Browser, System, fresh_email

DOCS = Path(__file__).parents[2] / "docs" / "device-sign-in.md"
RESOLVER = Path(__file__).parents[1] / "clients" / "python"
"""Resolves *.localhost, as browsers do."""
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE = re.compile(r"enter the code ([A-Z]{4}-[A-Z]{4})\.")


def program() -> str:
    """Returns the program of the page."""
    found = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


@dataclass
class Tool:
    """A client for devices, and what starts a device as it does."""

    system: System
    client_id: str
    http: httpx.AsyncClient

    async def start(self, **more: str) -> dict[str, Any]:
        form = {"client_id": self.client_id, "scope": "openid email offline_access", **more}
        answer = await self.http.post(
            "/oauth2/device_authorization", data=form, headers={"user-agent": "our-tool/1.0"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        device: dict[str, Any] = answer.json()
        return device

    async def poll(self, device_code: str) -> dict[str, Any]:
        form = {"grant_type": GRANT, "device_code": device_code, "client_id": self.client_id}
        answer = await self.http.post("/oauth2/token", data=form)
        assert answer.headers["cache-control"] == "no-store"
        tokens: dict[str, Any] = answer.json()
        return tokens


@pytest.fixture
async def tool(system: System) -> AsyncIterator[Tool]:
    """A client of the demo application, in which device sign-in is on."""
    async with system.backend() as api, system.http() as http:
        await _switch(api, on=True)
        new = {
            "name": "Our tool",
            "type": "native",
            "first_party": False,
            "scopes": ["openid", "email", "offline_access"],
            "grant_types": [GRANT, "refresh_token"],
        }
        client = (await api.post("/api/clients", json=new)).json()
        yield Tool(system, client["client_id"], http)
        await api.delete(f"/api/clients/{client['client_id']}")


async def _switch(api: httpx.AsyncClient, *, on: bool) -> None:
    changed = await api.put("/api/settings", json={"device_authorization": on})
    assert changed.status_code == 200, changed.text


@dataclass
class Terminal:
    """The running program, and what it has printed."""

    process: Process
    lines: list[str] = field(default_factory=list)

    async def code(self) -> str:
        """Returns the code that it shows."""
        assert self.process.stdout
        line = (await asyncio.wait_for(self.process.stdout.readline(), 60)).decode()
        found = CODE.search(line)
        assert found, (line, await self.process.communicate())
        return found[1]

    async def rest(self) -> str:
        """Returns what it prints until it ends."""
        out, errors = await asyncio.wait_for(self.process.communicate(), 60)
        return (out + errors).decode()


@asynccontextmanager
async def terminal(tool: Tool, folder: Path) -> AsyncIterator[Terminal]:
    file = folder / "signin.py"
    file.write_text(program())
    own = {
        "ISSUER": tool.system.origin("demo"),
        "CLIENT_ID": tool.client_id,
        "TOKEN_FILE": str(folder / "tokens.json"),
        "PYTHONPATH": str(RESOLVER),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(file), stdout=PIPE, stderr=PIPE, env=os.environ | own
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def signed_up(browser: Browser) -> str:
    email = fresh_email()
    await browser.sign_up(email, PASSWORD)
    return email


@pytest.mark.browser
async def test_a_terminal_signs_in_while_chromium_approves(
    chromium: Chromium, tool: Tool, tmp_path: Path
) -> None:
    """The main job. The user signs in, types the code, compares and allows. The next run of the program needs
    no code, and the file with its tokens is the user's alone."""
    async with terminal(tool, tmp_path) as first, person(chromium, tool.system, True) as ann:
        code = await first.code()
        email = fresh_email()
        await ann.sign_up(email)
        await ann.sign_out()
        await ann.go(f"/device?user_code={code}")
        assert ann.path.startswith("/login?return_to=%2Fdevice")
        await ann.enter(email=email)
        await ann.enter(password=PASSWORD)
        assert ann.path == f"/device?user_code={code}", await ann.text()
        await ann.page.locator("[name=user_code]").fill(code.replace("-", "").lower())
        await ann.press("main form button.primary")
        text = await ann.text()
        assert "Our tool" in text
        assert code in text
        assert "127.0.0.1" in text
        await ann.press("button[value=allow]")
        assert "You're signed in on the device" in await ann.text()
        assert await first.rest() == f"Signed in as {email}.\n"
        await ann.go("/account/apps")
        assert "You signed in on these devices" in await ann.text()
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    async with terminal(tool, tmp_path) as second:
        assert await second.rest() == f"Signed in as {email}.\n"


@pytest.mark.long
async def test_a_refusal_ends_the_program(tool: Tool, tmp_path: Path) -> None:
    """It says so, and leaves no file."""
    async with terminal(tool, tmp_path) as running, tool.system.browser() as browser:
        code = await running.code()
        await signed_up(browser)
        page = await browser.get("/device")
        page = await browser.submit(page, user_code=code)
        page = await browser.submit(page, page.form("consent"), consent="deny")
        assert "The device was refused" in page.text
        assert (await running.rest()).startswith("access_denied")
    assert not (tmp_path / "tokens.json").exists()


async def test_the_complete_link_approves_nothing(tool: Tool) -> None:
    """Trap 43: it asks for a sign-in, then fills the form in. Only the button on the page after it decides, and
    only in the session that saw that page."""
    system, device = tool.system, await tool.start()
    link = device["verification_uri_complete"].removeprefix(system.origin("demo"))
    async with system.browser() as browser:
        page = await browser.get(link)
        assert "/login" in page.url
        await signed_up(browser)
        for _ in range(2):
            page = await browser.get(link)
            assert f'value="{device["user_code"]}"' in page.text
        assert (await tool.poll(device["device_code"]))["error"] == "authorization_pending"
        asked = await browser.submit(page, user_code=device["user_code"])
        assert "Our tool" in asked.text
        assert device["user_code"] in asked.text
        form = asked.form("consent")
        async with system.browser() as other:
            await signed_up(other)
            refused = await other.http.post(
                "/oauth2/authorize/resume",
                data=form.fields | {"consent": "allow"},
                headers={"accept": "text/html", "origin": system.origin("demo")},
            )
            assert refused.status_code == 403
        for origin in ("https://evil.example", "null"):
            forged = await browser.http.post(
                "/device",
                data={"user_code": device["user_code"]},
                headers={"accept": "text/html", "origin": origin},
            )
            assert forged.status_code == 403
        answer = await tool.poll(device["device_code"])
        assert answer["error"] in ("authorization_pending", "slow_down")
        done = await browser.submit(asked, form, consent="allow")
        assert "signed in on the device" in done.text
        again = await browser.submit(asked, form, consent="allow")
        assert "signed in on the device" in again.text
    tokens = await tool.poll(device["device_code"])
    assert tokens["scope"] == "openid email offline_access"
    assert (await tool.poll(device["device_code"]))["error"] == "invalid_grant"


async def test_no_mails_and_the_right_events(tool: Tool) -> None:
    """A user whose device signs in gets no mail. Each event comes once."""
    system, device = tool.system, await tool.start()
    async with system.browser() as browser, system.backend() as api:
        email = await signed_up(browser)
        before = len(await system.mails(email))
        page = await browser.submit(await browser.get("/device"), user_code=device["user_code"])
        await browser.submit(page, page.form("consent"), consent="allow")
        tokens = await tool.poll(device["device_code"])
        claims = (await tool.http.get(
            "/oauth2/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}
        )).json()  # fmt: skip
        assert claims["email"] == email
        listed = await api.get(f"/api/users/{claims['sub']}/device-sign-ins")
        (one,) = listed.json()["devices"]
        assert (one["state"], one["user_agent"]) == ("signed_in", "our-tool/1.0")
        gone = await api.delete(f"/api/users/{claims['sub']}/device-sign-ins/{one['id']}")
        assert gone.status_code in (200, 204)
        refused = await tool.http.get(
            "/oauth2/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}
        )
        assert refused.status_code == 401
        events = await system.streamed(
            system.demo["app_id"],
            until={"device_revoked"},
            user_id=claims["sub"],
        )
        types = [event.event_type for event in events]
        for kind in ("device_authorization_approved", "token_issued", "device_revoked"):
            assert types.count(kind) == 1, types
        assert "device_authorization_denied" not in types
        assert len(await system.mails(email)) == before


async def test_it_is_off_by_default(system: System) -> None:
    """Without the setting there is no page, and discovery names neither endpoint nor grant."""
    async with system.backend() as api, system.http() as http, system.browser() as browser:
        await _switch(api, on=False)
        listed = (await http.get("/.well-known/openid-configuration")).json()
        assert "device_authorization_endpoint" not in listed
        assert GRANT not in listed["grant_types_supported"]
        await signed_up(browser)
        assert (await browser.get("/device")).response.status_code == 404
