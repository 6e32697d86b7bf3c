"""The hosted pages of the running platform in Chromium, with and without scripts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page
from tests.kit.system import PASSWORD, Loopback, System, fresh_email

VERIFIER = "v" * 64
JS = pytest.mark.parametrize(
    "js",
    [
        pytest.param(True, id="script"),
        pytest.param(False, id="no script", marks=pytest.mark.long),  # every day: tests/browser
    ],
)

pytestmark = pytest.mark.browser


@dataclass
class Client:
    """A third-party client, for which users are asked for consent. `sent` holds the parameters of
    its callback."""

    id: str
    callback: str
    sent: list[dict[str, list[str]]]

    def authorize(self, **more: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
        return "/oauth2/authorize?" + urlencode(
            {
                "response_type": "code",
                "client_id": self.id,
                "redirect_uri": self.callback,
                "scope": "openid email",
                "state": "st",
                "nonce": "n",
                "code_challenge": challenge.rstrip(b"=").decode(),
                "code_challenge_method": "S256",
                **more,
            }
        )


@dataclass
class Person:
    """A user with a browser of their own."""

    page: Page
    system: System
    js: bool

    async def go(self, path: str) -> None:
        await self.page.goto(self.system.origin("demo") + path)

    async def enter(self, **fields: str) -> None:
        """Fills fields and presses the button. If scripts run, a code alone is sent by its sixth
        digit."""
        alone = self.js and set(fields) == {"code"}
        async with self.page.expect_navigation():
            for name, value in fields.items():
                await self.page.locator(f"[name={name}]:visible").first.fill(value)
            if not alone:
                await self.page.locator("main form button.primary").first.click()
        await self.page.wait_for_load_state()

    async def press(self, button: str) -> None:
        await self.page.locator(button).first.click()
        await self.page.wait_for_load_state()

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.system.origin("demo"))

    async def text(self) -> str:
        return await self.page.inner_text("main")

    async def sign_up(self, email: str) -> None:
        await self.go("/signup")
        await self.enter(email=email, name="Ada Lovelace", password=PASSWORD)
        await self.enter(code=await self.system.mailed_code(email))
        assert self.path == "/account", await self.text()

    async def sign_out(self) -> None:
        await self.go("/logout")
        await self.press("button[name=confirm]")

    async def mailed_link(self, email: str, path: str, *, earlier: int = 0) -> str:
        """Returns the newest link to `path` in the mails that are not among the `earlier` ones."""
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            mails = await self.system.mails(email)
            for mail in mails[: len(mails) - earlier]:
                found = re.search(rf"https?://[^\s]+{path}\?token=[^\s]+", mail["text"])
                if found:
                    return found[0]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no mail with a link to {path} for {email}")


@asynccontextmanager
async def person(chromium: Browser, system: System, js: bool) -> AsyncIterator[Person]:
    context = await chromium.new_context(java_script_enabled=js, locale="en-GB")
    yield Person(await context.new_page(), system, js)
    await context.close()


@pytest.fixture
async def client(system: System) -> AsyncIterator[Client]:
    sent: list[dict[str, list[str]]] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            if self.path.startswith("/callback"):
                sent.append(parse_qs(urlsplit(self.path).query or body))
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<main>back at the client</main>")

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    callback = f"http://localhost:{server.server_port}/callback"
    new = {
        "name": "Notes",
        "redirect_uris": [callback],
        "grant_types": ["authorization_code"],
        "first_party": False,
    }
    async with system.backend() as http:
        answer = await http.post("/api/clients", json=new)
    assert answer.status_code == 201, answer.text
    yield Client(answer.json()["client_id"], callback, sent)
    server.shutdown()


@JS
async def test_password(chromium: Browser, system: System, js: bool) -> None:
    """A user signs up by code, signs out, and signs in with the right password after a wrong one."""
    email = fresh_email()
    async with person(chromium, system, js) as ada:
        await ada.sign_up(email)
        await ada.sign_out()
        await ada.go("/login")
        await ada.enter(email=email)
        await ada.enter(password="not this one")
        assert "The address or the password is wrong" in await ada.text()
        await ada.enter(password=PASSWORD)

        assert ada.path == "/account"
        assert email in await ada.text()


@JS
async def test_code_and_link(chromium: Browser, system: System, js: bool) -> None:
    """The code signs in. The link of the next mail does too, once, and only in this browser."""
    email = fresh_email()
    async with person(chromium, system, js) as ada, person(chromium, system, js) as eve:
        await ada.sign_up(email)
        for by_link in (False, True):
            await ada.sign_out()
            await ada.go("/login")
            await ada.enter(email=email)
            earlier = len(await system.mails(email))
            await ada.press("form[action='/login/code/send'] button")
            if not by_link:
                await ada.enter(code=await system.mailed_code(email, earlier=earlier))
                assert ada.path == "/account"

        link = await ada.mailed_link(email, "/login/link", earlier=earlier)
        await eve.page.goto(link)
        assert "This is a different browser" in await eve.text()
        await ada.page.goto(link)
        await ada.press("button.primary")
        assert ada.path == "/account"
        await ada.sign_out()
        await ada.page.goto(link)
        await ada.press("button.primary")
        assert "This link no longer works" in await ada.text()


@JS
async def test_reset(chromium: Browser, system: System, js: bool) -> None:
    """A weak new password is refused beside its field, and a good one signs in."""
    email = fresh_email()
    async with person(chromium, system, js) as ada:
        await ada.sign_up(email)
        await ada.sign_out()
        await ada.go("/login")
        await ada.enter(email=email)
        await ada.page.click("text=Forgot password?")
        earlier = len(await system.mails(email))
        await ada.enter(email=email)
        code = await system.mailed_code(email, earlier=earlier)
        await ada.enter(code=code, password="password")
        assert "too common" in await ada.text()
        await ada.enter(code=code, password=PASSWORD + " again")

        assert ada.path == "/account"


@JS
async def test_consent(chromium: Browser, system: System, client: Client, js: bool) -> None:
    """A user of a third-party client signs up on the way. Cancel and Allow both answer the client,
    also by form_post. The page asks again only after the access was removed."""
    email = fresh_email()
    async with person(chromium, system, js) as ada:
        await ada.go(client.authorize())
        await ada.page.click("text=Create an account")
        await ada.enter(email=email, password=PASSWORD)
        await ada.enter(code=await system.mailed_code(email))
        assert "Notes wants to access" in await ada.text()
        await ada.press("button[value=deny]")
        await ada.go(client.authorize())
        await ada.press("button[value=allow]")
        await ada.go(client.authorize())
        await ada.go(client.authorize(response_mode="form_post"))
        if not js:
            await ada.press("button.primary")
        await ada.page.wait_for_url(client.callback)
        await ada.go("/account/apps")
        assert "Notes" in await ada.text()
        await ada.press("main form button")
        assert "Access removed." in await ada.text()
        await ada.go(client.authorize())
        assert "Notes wants to access" in await ada.text()

    answers = client.sent
    assert [answer.get("error") for answer in answers] == [["access_denied"], None, None, None]
    assert all(answer["state"] == ["st"] for answer in answers)
    assert all("code" in answer for answer in answers[1:])


@JS
async def test_an_organization(chromium: Browser, system: System, js: bool) -> None:
    """An admin activates an organization and invites a colleague, who joins and leaves. The only
    admin cannot leave."""
    email = fresh_email()
    async with person(chromium, system, js) as ada, person(chromium, system, js) as eve:
        await ada.sign_up(fresh_email())
        cookies = {one["name"]: one["value"] for one in await ada.page.context.cookies()}
        origin = system.origin("demo")
        async with httpx.AsyncClient(
            base_url=origin, cookies=cookies, transport=Loopback()
        ) as http:
            made = await http.post(
                "/api/organizations", json={"name": "Engines"}, headers={"origin": origin}
            )
        assert made.status_code == 201, made.text
        await ada.go("/account/organizations")
        await ada.press("main form button")
        assert "Active organization changed." in await ada.text()
        await ada.page.click("main a:has-text('Engines')")
        await ada.enter(email=email)
        assert "Invitation sent." in await ada.text()
        await ada.press("form[action$=leave] button")
        assert "An organization needs an admin." in await ada.text()

        link = await eve.mailed_link(email, "/accept-org-invite")
        await eve.sign_up(email)
        await eve.page.goto(link)
        await eve.press("main form button.primary")
        assert "You're now a member of Engines" in await eve.text()
        await eve.go("/account/organizations")
        await eve.page.click("main a:has-text('Engines')")
        assert email in await eve.text()
        await eve.press("form[action$=leave] button")
        assert "You left the organization." in await eve.text()


@pytest.mark.parametrize("length", [10, 7_000])
async def test_another_site_asks_by_post(
    chromium: Browser, system: System, client: Client, length: int
) -> None:
    """A browser sends no cookies with another site's form (SameSite=Lax). The session is found
    nevertheless, without a page, even if the request is long."""
    async with person(chromium, system, True) as ada:
        await ada.sign_up(fresh_email())
        await ada.go(client.authorize())
        await ada.press("button[value=allow]")
        where, _, query = client.authorize(prompt="none", state="s" * length).partition("?")
        await ada.page.goto(client.callback.replace("callback", "elsewhere"))
        await ada.page.evaluate(
            """([action, query]) => {
                const form = document.createElement('form');
                Object.assign(form, {method: 'post', action});
                for (const [name, value] of new URLSearchParams(query))
                    form.append(Object.assign(document.createElement('input'), {name, value}));
                document.body.append(form);
                form.submit();
            }""",
            [system.origin("demo") + where, query],
        )
        await ada.page.wait_for_url(client.callback + "**")

    assert client.sent[-1]["state"] == ["s" * length]
    assert "code" in client.sent[-1], client.sent[-1].get("error")


@JS
async def test_several_accounts(
    chromium: Browser, system: System, client: Client, js: bool
) -> None:
    """A client that asks which of two accounts to use gets the chosen one."""
    one, other = fresh_email("one"), fresh_email("other")
    async with person(chromium, system, js) as ada:
        await ada.sign_up(one)
        await ada.go("/login?add=1")
        await ada.sign_up(other)
        await ada.go(client.authorize(prompt="select_account"))
        await ada.press(f"button:has-text('{one}')")
        assert one in await ada.text()
        await ada.press("button[value=allow]")
        await ada.go("/accounts")
        active = await ada.page.inner_text("button:has(.badge)")
        await ada.press("button[name=all]")
        await ada.go("/account")

        assert one in active
        assert ada.path.startswith("/login")


@JS
async def test_the_account(chromium: Browser, system: System, js: bool) -> None:
    """A user changes the profile and the password, ends another session, exports the data and
    deletes the account."""
    email = fresh_email()
    async with person(chromium, system, js) as ada, person(chromium, system, js) as phone:
        await ada.sign_up(email)
        await phone.go("/login")
        await phone.enter(email=email)
        await phone.enter(password=PASSWORD)
        await ada.go("/account")
        await ada.enter(name="Ada King")
        assert "Profile saved." in await ada.text()

        await ada.page.click("nav >> text=Sessions")
        await ada.press("button[name=session_id]")
        assert "Session signed out." in await ada.text()
        await phone.go("/account")
        assert phone.path.startswith("/login")

        await ada.page.click("nav >> text=Password")
        await ada.enter(current=PASSWORD, password=PASSWORD + " two")
        assert "Password changed." in await ada.text()

        await ada.page.click("nav >> text=Your data")
        async with ada.page.expect_download() as download:
            await ada.page.click("text=Download my data")
        assert (await download.value).suggested_filename == "demo-account.json"
        await ada.page.fill("[name=confirm]", email)
        await ada.page.fill("[name=password]", PASSWORD + " two")
        await ada.press("text=Delete my account")
        assert "Your account has been deleted" in await ada.text()


@JS
async def test_another_address(chromium: Browser, system: System, js: bool) -> None:
    """The code that was mailed to a new address makes it the user's address."""
    email, new = fresh_email(), fresh_email("new")
    async with person(chromium, system, js) as ada:
        await ada.sign_up(email)
        await ada.go("/account/email")
        await ada.enter(email=new)
        await ada.enter(code=await system.mailed_code(new))

        assert "E-mail address changed." in await ada.text()
        assert new in await ada.text()
