"""sdk/js in Chromium: the example application at its own origin, alone and in two tabs.

The traps of refreshing in several tabs are public bug reports of other libraries.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, Route
from tests.e2e.test_pages_in_chromium import Person, person
from tests.kit.single_page_app import SDK, SinglePageApp, single_page_app
from tests.kit.system import PASSWORD, System, fresh_email

pytestmark = pytest.mark.browser

CALL = "async ([name, ...given]) => (await import('/notes.js')).aero2[name](...given)"
"""Calls the client of the page."""
EXPIRE = "void (Date.now = (now => () => now() + 14.9 * 60_000)(Date.now))"
"""The page's clock is close to the end of the access token."""


@pytest.fixture
async def spa(system: System) -> AsyncIterator[SinglePageApp]:
    """The application on another site than the issuer."""
    async with single_page_app(system) as app:
        yield app


class Tokens:
    """Counts the requests of a browser to the token endpoint, by grant type."""

    def __init__(self, context: BrowserContext) -> None:
        self.grants: list[str] = []
        context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.url.endswith("/oauth2/token") and request.method == "POST":
            self.grants.extend(parse_qs(request.post_data or "")["grant_type"])


async def call(page: Page, name: str, *arguments: Any) -> Any:
    """Calls a function of the client in a page and returns its result."""
    return await page.evaluate(CALL, [name, *arguments])


async def sign_in(ada: Person, spa: SinglePageApp, email: str, path: str = "/") -> None:
    """Signs up, beginning at the application's button."""
    await ada.page.goto(spa.origin + path)
    await ada.page.get_by_role("button", name="Sign in").click()
    await ada.page.click("text=Create an account")
    await ada.enter(email=email, name="Ada Lovelace", password=PASSWORD)
    await ada.enter(code=await ada.system.mailed_code(email))
    await ada.page.wait_for_url(spa.origin + path)
    await ada.page.get_by_text(f"Hello, {email}.").wait_for()


async def second_tab(ada: Person, spa: SinglePageApp, email: str) -> Page:
    other = await ada.page.context.new_page()
    await other.goto(spa.origin)
    await other.get_by_text(f"Hello, {email}.").wait_for()
    return other


async def test_a_user_signs_in_and_out(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """The button signs in and comes back to the page; another tab has the session without a request; signing out ends
    it in both tabs and at the issuer. No token is stored."""
    email = fresh_email()
    async with person(chromium, system, js=True) as ada:
        tokens = Tokens(ada.page.context)
        await sign_in(ada, spa, email, "/lists?sort=name#today")
        other = await second_tab(ada, spa, email)
        assert tokens.grants == ["authorization_code"]
        assert await other.evaluate(
            "[{...localStorage}, {...sessionStorage}, document.cookie]"
        ) == [{}, {}, ""]

        await ada.page.click("text=Load my profile")
        await ada.page.get_by_text(f'"email": "{email}"').wait_for()
        held = await call(ada.page, "token")
        await ada.page.get_by_role("button", name="Ada Lovelace").click()
        await ada.page.get_by_role("menuitem", name="Sign out").click()
        await ada.page.wait_for_url(spa.origin + "/")

        for tab in (ada.page, other):
            await tab.get_by_text("Sign in to see your notes.").wait_for()
            assert await call(tab, "session") is None
        async with system.http() as http:
            answer = await http.get("/oauth2/userinfo", headers={"authorization": f"Bearer {held}"})
        assert answer.status_code == 401
        assert tokens.grants == ["authorization_code"]


@pytest.mark.parametrize("locks", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_two_tabs_refresh_once(
    chromium: Browser, system: System, spa: SinglePageApp, locks: bool
) -> None:
    """Both tabs need a new token at once: one request, both have it, nobody is signed out (medplum/medplum#9113).
    Without Web Locks there may be two requests, which the issuer answers alike."""
    email = fresh_email()
    async with person(chromium, system, js=True) as ada:
        if not locks:
            await ada.page.context.add_init_script(
                "Object.defineProperty(navigator, 'locks', { value: undefined })"
            )
        tokens = Tokens(ada.page.context)
        await sign_in(ada, spa, email)
        other = await second_tab(ada, spa, email)
        before = await call(ada.page, "token")

        for tab in (ada.page, other):
            await tab.evaluate(EXPIRE)
            await tab.evaluate(
                "void (window.later = import('/notes.js').then(m => m.aero2.token()))"
            )
        held = [await tab.evaluate("later") for tab in (ada.page, other)]

        assert before not in held
        assert all(held)
        refreshed = tokens.grants.count("refresh_token")
        assert refreshed == 1 if locks else 1 <= refreshed <= 2
        if locks:
            assert held[0] == held[1]
        for tab in (ada.page, other):
            assert (await call(tab, "session"))["user"]["email"] == email


@pytest.mark.long
async def test_calls_of_one_tab_share_a_refresh(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """Ten calls at once, one request."""
    async with person(chromium, system, js=True) as ada:
        tokens = Tokens(ada.page.context)
        await sign_in(ada, spa, fresh_email())
        await ada.page.evaluate(EXPIRE)
        held = await ada.page.evaluate(
            "import('/notes.js').then(m => Promise.all([...Array(10)].map(() => m.aero2.token())))"
        )
        assert len(set(held)) == 1
        assert tokens.grants.count("refresh_token") == 1


@pytest.mark.long
async def test_a_tab_that_gets_the_lock_late_looks_again(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """A tab waits for the lock, or sleeps, while another one refreshes: it sends nothing
    (damienbod/angular-auth-oidc-client#2237)."""
    email = fresh_email()
    async with person(chromium, system, js=True) as ada:
        tokens = Tokens(ada.page.context)
        await sign_in(ada, spa, email)
        other = await second_tab(ada, spa, email)
        name = f"aero2:{system.origin('demo')}:{spa.client_id}"
        await other.evaluate(
            "name => void navigator.locks.request(name, () => new Promise(go => { window.release = go; }))",
            name,
        )
        await other.wait_for_function("() => Boolean(window.release)")
        await ada.page.evaluate(EXPIRE)
        await ada.page.evaluate(
            "void (window.later = import('/notes.js').then(m => m.aero2.token()))"
        )
        await ada.page.wait_for_function(
            "async name => (await navigator.locks.query()).pending.some(each => each.name === name)",
            arg=name,
        )
        fresh = await other.evaluate(
            """async (channel) => {
              const ask = new BroadcastChannel(channel);
              const theirs = await new Promise(hear => {
                ask.onmessage = event => event.data.kind === "tokens" && hear(event.data.tokens);
                ask.postMessage({ kind: "ask" });
              });
              const tokens = { ...theirs, accessToken: "newer", at: theirs.at + 1, endsAt: theirs.endsAt + 9e6 };
              ask.postMessage({ kind: "tokens", tokens });
              release();
              return tokens.accessToken;
            }""",
            name,
        )
        assert await ada.page.evaluate("later") == fresh
        assert tokens.grants == ["authorization_code"]


@pytest.mark.parametrize(
    "meanwhile", ["signs out", pytest.param("is another user", marks=pytest.mark.long)]
)
async def test_a_late_answer_is_dropped(
    chromium: Browser, system: System, spa: SinglePageApp, meanwhile: str
) -> None:
    """A refresh is under way while the user signs out in another tab, or signs in as somebody else there. Its answer
    changes nothing (Wei-Shaw/sub2api#5200)."""
    email, second = fresh_email(), fresh_email()
    async with person(chromium, system, js=True) as ada:
        await sign_in(ada, spa, email)
        other = await second_tab(ada, spa, email)
        held: list[Route] = []
        await ada.page.route("**/oauth2/token", lambda route: held.append(route))
        await ada.page.evaluate(EXPIRE)
        async with ada.page.expect_request("**/oauth2/token"):
            await ada.page.evaluate(
                "void (window.later = import('/notes.js').then(m => m.aero2.session()))"
            )

        await other.get_by_role("button", name="Ada Lovelace").click()
        async with other.expect_navigation(url=f"{spa.origin}/"):
            await other.get_by_role("menuitem", name="Sign out").click()
        await ada.page.get_by_text("Sign in to see your notes.").wait_for()
        if meanwhile == "is another user":
            await sign_in(Person(other, system, js=True), spa, second)
            await ada.page.get_by_text(f"Hello, {second}.").wait_for()
        body = {
            "access_token": "late",
            "refresh_token": "late",
            "expires_in": 900,
            "token_type": "Bearer",
        }
        headers = {"access-control-allow-origin": spa.origin}
        await held[0].fulfill(json=body, headers=headers)
        await ada.page.unroute("**/oauth2/token")
        session = await ada.page.evaluate("later")

        assert await call(ada.page, "token") != "late"
        if meanwhile == "is another user":
            assert session["user"]["email"] == second
        else:
            assert session is None
            assert await call(ada.page, "session") is None


async def test_an_answer_that_was_not_asked_for_is_refused(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """A callback with a state that this browser did not make, from another issuer, or with an error: nobody is signed
    in, no code is redeemed, and the address keeps nothing of it."""
    async with person(chromium, system, js=True) as ada:
        tokens = Tokens(ada.page.context)
        await ada.page.goto(f"{spa.origin}/callback?code=stolen&state=made-up")
        await ada.page.get_by_text("You are not signed in: state_unknown").wait_for()
        assert ada.page.url == f"{spa.origin}/callback"

        for parameters, code in (
            ({"code": "x", "iss": "https://evil.example"}, "issuer_mismatch"),
            ({"error": "access_denied", "iss": system.origin("demo")}, "access_denied"),
        ):
            await ada.page.goto(spa.origin)
            async with ada.page.expect_navigation(url="**/login*"):
                await ada.page.get_by_role("button", name="Sign in").click()
            state = await _state(ada.page, spa)
            await ada.page.goto(
                f"{spa.origin}/callback?" + urlencode({"state": state, **parameters})
            )
            await ada.page.get_by_text(f"You are not signed in: {code}").wait_for()
        assert tokens.grants == []


async def _state(page: Page, spa: SinglePageApp) -> str:
    """Returns the state of the sign-in that the tab has begun."""
    await page.goto(f"{spa.origin}/notes.css")
    (key,) = await page.evaluate("Object.keys(sessionStorage)")
    return str(key).rpartition(":")[2]


@pytest.mark.long
async def test_a_token_goes_to_named_origins_only(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """`fetch` refuses an address that is not the application's, the issuer's or named: no request leaves. A return
    address of another origin becomes the root."""
    async with person(chromium, system, js=True) as ada:
        await sign_in(ada, spa, fresh_email())
        sent: list[str] = []
        ada.page.context.on("request", lambda request: sent.append(request.url))
        code = await ada.page.evaluate(
            "import('/notes.js').then(m => m.aero2.fetch('https://evil.example/')).catch(error => error.code)"
        )
        assert code == "origin_not_allowed"
        assert not [url for url in sent if "evil" in url]

        await call(ada.page, "onChange")  # the page is alive
        async with ada.page.expect_navigation(url=f"{spa.origin}/"):
            await ada.page.evaluate(
                "void import('/notes.js').then(m => m.aero2.signIn({ returnTo: 'https://evil.example/x' }))"
            )


@pytest.mark.long
async def test_a_name_is_text(chromium: Browser, system: System, spa: SinglePageApp) -> None:
    """A user chose their name and picture: the button shows them as they are, and runs nothing."""
    async with person(chromium, system, js=True) as ada:
        await ada.page.goto(spa.origin)
        await ada.page.evaluate(
            """async () => {
              const { createClient } = await import('/aero2.js');
              const client = createClient({ issuer: 'https://id.example', clientId: 'c', silent: false });
              const element = document.body.appendChild(document.createElement('div'));
              client.userButton(element);
              const channel = new BroadcastChannel('aero2:https://id.example:c');
              const claims = { sub: '1', name: '<img src=x onerror=alert(1)>', picture: 'javascript:alert(1)' };
              channel.postMessage({ kind: 'tokens', tokens: { accessToken: 'a', at: 9e15, endsAt: 9e15, claims } });
            }"""
        )
        button = ada.page.get_by_role("button", name="<img src=x onerror=alert(1)>")
        await button.wait_for()
        assert await button.locator("img").count() == 0


async def test_a_reload_keeps_the_user_on_the_site_of_the_issuer(
    chromium: Browser, system: System
) -> None:
    """Where the browser sends the issuer's cookie to a frame, a page that was reloaded signs in without leaving. On
    another site nobody is signed in after that."""
    email = fresh_email()
    async with (
        single_page_app(system, "notes.demo.localhost") as same_site,
        single_page_app(system) as cross_site,
        person(chromium, system, js=True) as ada,
    ):
        await sign_in(ada, same_site, email)
        visited: list[str] = []
        ada.page.on("framenavigated", lambda frame: visited.append(frame.url))
        await ada.page.reload()
        await ada.page.get_by_text(f"Hello, {email}.").wait_for()
        main = [url for url in visited if urlsplit(url).path == "/"]
        assert main == [same_site.origin + "/"]

        await ada.page.goto(cross_site.origin)
        await ada.page.get_by_text("Sign in to see your notes.").wait_for()
        await ada.page.get_by_role("button", name="Sign in").click()
        await ada.page.get_by_text(f"Hello, {email}.").wait_for()


@pytest.mark.long
async def test_the_issuer_is_not_reached(
    chromium: Browser, system: System, spa: SinglePageApp
) -> None:
    """A refresh that fails does not sign the user out; the next one succeeds."""
    async with person(chromium, system, js=True) as ada:
        await sign_in(ada, spa, fresh_email())
        await ada.page.route("**/oauth2/token", lambda route: route.abort())
        await ada.page.evaluate(EXPIRE)
        assert await call(ada.page, "session") is not None  # some seconds are left
        await ada.page.evaluate("void (Date.now = (now => () => now() + 60_000)(Date.now))")
        code = await ada.page.evaluate(
            "import('/notes.js').then(m => m.aero2.session()).catch(error => error.code)"
        )
        assert code == "network"
        await ada.page.unroute("**/oauth2/token")
        assert await call(ada.page, "token")


def test_the_types_name_what_the_module_has() -> None:
    """aero2.d.ts and the module agree on the functions of a client."""
    module, types = (SDK / "aero2.js").read_text(), (SDK / "aero2.d.ts").read_text()
    interface = types.partition("export interface Client {")[2].partition("\n}")[0]
    declared = set(re.findall(r"^  (\w+)\(", interface, re.MULTILINE))
    body = module.partition("class Client {")[2].partition("\n}\n")[0]
    defined = set(re.findall(r"^  (?:async )?([a-z]\w*)\(", body, re.MULTILINE))
    assert declared == defined - {"constructor", "open"}
