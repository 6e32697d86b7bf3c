"""Flows through the hosted pages, each with and without JavaScript."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.browser.conftest import Site
from tests.browser.test_pages import (
    authenticator_app,
    code,
    consent,
    mfa_setup,
    password,
    second_factor,
)
from tests.kit.factor_people import RECOVERY, TOTP_CODE
from tests.kit.people import CODE, EMAIL, LINK, PASSWORD

from common.contracts.app_settings import AppSettings
from common.contracts.authorization import Authorization, ResumeAuthorization
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.protection import Protection
from common.contracts.sign_up import SignUp

JS = pytest.mark.parametrize(
    "js",
    [
        pytest.param(True, id="script", marks=pytest.mark.long),  # every day: tests/e2e
        pytest.param(False, id="no script"),
    ],
)


@JS
async def test_by_password(site: Site, js: bool) -> None:
    """The user enters the address once, then the password, and is signed in."""
    async with site.visit(js=js) as look:
        await password(look)
        await look.fill(password="wrong")
        await look.send()
        assert "The address or the password is wrong" in await look.text()
        await look.fill(password=PASSWORD)
        await look.send()

        assert look.path == "/account"
        assert EMAIL in await look.text()


@JS
async def test_the_second_step(site: Site, js: bool) -> None:
    """After the password, the code of the app or a recovery code signs in."""
    for recovery in (False, True):
        async with site.visit(js=js) as look:
            await second_factor(look)
            assert look.path == "/login/second-factor"
            await look.fill(code="111111")
            await look.send()
            assert "This code is wrong or was already used." in await look.text()
            if recovery:
                await look.page.click("text=Use a recovery code instead")
                await look.fill(recovery_code=RECOVERY[0])
            else:
                await look.fill(code=TOTP_CODE)
            await look.page.check("[name=remember_device]")
            await look.send()

            assert look.path == "/account"
            names = {cookie["name"] for cookie in await look.page.context.cookies()}
            assert any(name.startswith("aero2_device_") for name in names)
            assert "aero2_half" not in names


@JS
async def test_a_required_second_step(site: Site, js: bool) -> None:
    """The user sets up an app, downloads the recovery codes as a text file, and goes on."""
    async with site.visit(js=js, accept_downloads=True) as look:
        await mfa_setup(look)
        assert look.path == "/mfa-setup"
        await look.enter_code(TOTP_CODE)
        async with look.page.expect_download() as downloading:
            await look.page.click("text=Download as a text file")
        file = await (await downloading.value).path()
        text = file.read_text()
        assert (await downloading.value).suggested_filename == "recovery-codes.txt"
        assert all(code in text for code in RECOVERY)
        await look.page.click("text=Continue")
        await look.page.wait_for_url("**/account")


@JS
async def test_turning_on_and_off(site: Site, js: bool) -> None:
    """The account turns the app on, shows the codes in the new session, and turns the app off."""
    async with site.visit(signed_in=True, js=js) as look:
        await authenticator_app(look)
        await look.enter_code(TOTP_CODE)
        assert RECOVERY[0] in await look.text()
        await look.page.click("main >> text=Continue")
        await look.send("button[value=codes]")
        assert RECOVERY[9] in await look.text()
        await look.go("/account/two-step")
        await look.send("button[value=off]")
        assert "The authenticator app was removed." in await look.text()


@JS
async def test_by_code(site: Site, js: bool) -> None:
    """A pasted code with spaces signs in."""
    async with site.visit(js=js) as look:
        await code(look)
        await look.enter_code(f" {CODE[:3]} {CODE[3:]} ")

        assert look.path == "/account"


@JS
async def test_by_link(site: Site, js: bool) -> None:
    """The link shows a page, and a click signs in."""
    async with site.visit(js=js) as look:
        await look.go("/login")
        await look.go(f"/login/link?token={LINK}")
        await look.send()

        assert look.path == "/account"


@JS
async def test_confirming_by_a_mailed_code(site: Site, js: bool) -> None:
    """A user without a password confirms with a code to their own address, and continues. No form asks
    for an address."""
    site.people.has_password = False
    async with site.visit(signed_in=True, js=js) as look:
        await look.go("/login/confirm?return_to=/account/sessions")
        assert await look.page.locator("[name=email]").count() == 0
        await look.page.click("text=E-mail me a code")
        await look.enter_code(CODE)

        assert look.path == "/account/sessions"
        assert not any(isinstance(call, SignInWithCode) for call in site.world.bus.calls)


@JS
async def test_sign_up(site: Site, js: bool) -> None:
    """The user goes from the sign-in page through a code to the account."""
    async with site.visit(js=js) as look:
        await look.go("/login")
        await look.page.click("text=Create an account")
        await look.fill(email="new@example.com", name="New", password=PASSWORD)
        await look.send()
        await look.enter_code(CODE)

        assert look.path == "/account"
        assert any(isinstance(call, SignUp) for call in site.world.bus.calls)


@JS
async def test_reset(site: Site, js: bool) -> None:
    """The page knows the address. Code and new password are on one page."""
    async with site.visit(js=js) as look:
        await password(look)
        await look.page.click("text=Forgot password?")
        assert await look.page.input_value("[name=email]") == EMAIL
        await look.send()
        await look.fill(code=CODE, password=PASSWORD + "!")
        await look.send()

        assert look.path == "/account"


@JS
async def test_the_owner_link(site: Site, js: bool) -> None:
    """The link of `aero2 up` leads to the first account."""
    async with site.visit(js=js) as look:
        await look.go(f"/welcome?token={LINK}")
        await look.fill(email="op@example.com", name="Op", password=PASSWORD)
        await look.send()

        assert look.path == "/dashboard"


@JS
async def test_consent(site: Site, js: bool) -> None:
    """Cancel and Allow both answer the client, and the browser lets the form redirect to another
    site."""
    for button, said in (("Cancel", "deny"), ("Allow", "allow")):
        async with site.visit(signed_in=True, js=js) as look:
            await consent(look)
            site.people.authorization = Authorization(
                kind="redirect", location="http://localhost:1/cb?code=c"
            )
            async with look.page.expect_request("http://localhost:1/cb?code=c"):
                await look.page.click(f"button:text-is('{button}')", no_wait_after=True)

            asked = site.world.bus.calls[-1]
            assert isinstance(asked, ResumeAuthorization)
            assert (asked.consent, asked.request) == (said, "r1")


@JS
@pytest.mark.parametrize("way", ["code", "link", "sign up", "sign-up link", "reset", "reset link"])
async def test_from_a_client_and_back(site: Site, js: bool, way: str) -> None:
    """Users who come from a client of another origin return to it, in every way of signing in.
    Browsers apply the page's policy to the redirects after a form, so only a browser can show this.
    """
    back = "http://localhost:1/cb?code=c"
    async with site.visit(js=js) as look:
        site.people.authorization = Authorization(kind="sign_in", request="r1")
        await look.go("/oauth2/authorize?client_id=x")
        if way.startswith("sign"):
            await look.page.click("text=Create an account")
            await look.fill(email="new@example.com", password=PASSWORD)
        elif way.startswith("reset"):
            await look.fill(email=EMAIL)
            await look.send()
            await look.page.click("text=Forgot password?")
        else:
            await look.fill(email=EMAIL)
            await look.send()
        await look.send(
            "main form[action='/login/code/send'] button"
            if way in ("code", "link")
            else "main form button.primary"
        )
        if way.endswith("link"):
            await look.go(
                f"/reset?token={LINK}" if way == "reset link" else f"/login/link?token={LINK}"
            )
        site.people.authorization = Authorization(kind="redirect", location=back)
        if way == "reset":
            await look.fill(code=CODE)
        if way.startswith("reset"):
            await look.fill(password=PASSWORD + "!")
        async with look.page.expect_request(back):
            if way in ("code", "sign up"):
                await look.fill(code=CODE)
            if not js or way not in ("code", "sign up"):
                button = look.page.locator("main form button.primary")
                await button.first.click(no_wait_after=True)


async def test_a_code_is_sent_once_and_corrected_by_hand(site: Site) -> None:
    """The sixth digit sends the form. After an error the user corrects the code and presses the
    button. Five digits and letters send nothing."""
    async with site.visit() as look:
        await code(look)
        await look.fill(code="11111")
        await look.fill(code="abcdef")
        await look.enter_code("111111")
        tries = [call for call in site.world.bus.calls if isinstance(call, SignInWithCode)]
        assert [call.code for call in tries] == ["111111"]
        assert "This code is wrong" in await look.text()

        await look.fill(code="222222")
        assert await look.page.input_value("#code") == "222222"
        await look.fill(code=CODE)
        await look.send()
        assert look.path == "/account"


@JS
async def test_form_post(site: Site, js: bool) -> None:
    """The page submits itself, or has a button."""
    site.people.authorization = Authorization(
        kind="form_post",
        location="http://localhost:1/cb",
        fields=[("code", "c1"), ("state", "s")],
    )
    async with site.visit(js=js) as look:
        async with look.page.expect_request("http://localhost:1/cb") as sent:
            await look.page.goto("/oauth2/authorize?client_id=x", wait_until="commit")
            if not js:
                await look.page.click("button:text-is('Continue')", no_wait_after=True)
        request = await sent.value

        assert (request.method, request.post_data) == ("POST", "code=c1&state=s")


@JS
async def test_the_account(site: Site, js: bool) -> None:
    """The user saves a name, revokes a session, exports the data and deletes the account."""
    async with site.visit(signed_in=True, js=js) as look:
        await look.go("/account")
        await look.fill(name="Ada King")
        await look.send()
        assert "Profile saved." in await look.text()

        await look.page.click("text=Sessions")
        await look.send("button[name=session_id]")
        assert "Session signed out." in await look.text()

        await look.page.click("text=Your data")
        async with look.page.expect_download() as download:
            await look.page.click("text=Download my data")
        assert (await download.value).suggested_filename == "acme-account.json"

        await look.fill(confirm=EMAIL, password=PASSWORD)
        await look.send("button:text-is('Delete my account')")
        assert "Your account has been deleted" in await look.text()


@JS
async def test_several_accounts(site: Site, js: bool) -> None:
    """The switcher makes another account the active one."""
    async with site.visit(signed_in=True, js=js) as look:
        await look.go("/account")
        await look.page.click("a.switch")
        await look.send("button:has-text('Bob Noyce')")
        await look.go("/accounts")

        active = look.page.locator("button:has(.badge)")
        assert "bob@example.com" in await active.inner_text()


@JS
async def test_signing_out(site: Site, js: bool) -> None:
    """The user signs out of all accounts."""
    async with site.visit(signed_in=True, js=js) as look:
        await look.go("/accounts")
        await look.send("button[name=all]")
        await look.go("/account")

        assert look.path.startswith("/login")


async def test_proof_of_work(site: Site) -> None:
    """The page computes the proof in a worker. The form waits for it and is then sent."""
    changed = AppSettings(proof_of_work_bits=14, auth_methods=["email_code"])
    site.world.tenants = {
        host: app.model_copy(update={"settings": changed})
        for host, app in site.world.tenants.items()
    }
    site.people.protection = Protection(proof_challenge="17.ab_-.mac", proof_bits=14)
    async with site.visit() as look:
        await look.go("/login")
        await look.fill(email=EMAIL)
        await look.send()
        await look.page.wait_for_url("**/login/code")

        assert "Check your inbox" in await look.text()


async def test_by_keyboard_alone(site: Site) -> None:
    """The first field has the focus, Enter sends, and Tab goes through the page in order, visibly."""
    async with site.visit() as look:
        keys = look.page.keyboard
        await look.go("/login")
        await look.page.wait_for_function("document.activeElement.name === 'email'")
        await keys.type(EMAIL)
        await keys.press("Enter")
        await look.page.wait_for_url("**/login/password")
        await look.page.wait_for_function("document.activeElement.name === 'password'")
        await keys.type("wrong")
        await keys.press("Enter")
        await look.page.wait_for_selector("#password-error")
        await look.page.wait_for_load_state()
        focused = "document.activeElement.name === 'password'"
        await look.page.wait_for_function(focused)

        await keys.press("Tab")
        label = await look.page.evaluate("document.activeElement.getAttribute('aria-label')")
        ring = await look.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (label, ring) == ("Show password", "solid")
        await keys.press("Shift+Tab")
        await look.page.wait_for_function(focused)
        await keys.type(PASSWORD)
        await keys.press("Enter")
        await look.page.wait_for_url("**/account")


async def test_showing_the_password(site: Site) -> None:
    """A button shows and hides the password. It is hidden again before it is sent."""
    async with site.visit() as look:
        await password(look)
        await look.fill(password=PASSWORD)
        field, button = look.page.locator("#password"), look.page.locator("[data-reveal] button")
        await button.click()
        assert await field.get_attribute("type") == "text"
        assert await button.get_attribute("aria-pressed") == "true"
        await button.click()

        assert await field.get_attribute("type") == "password"


async def test_the_remaining_time(site: Site) -> None:
    """The time counts down and is announced each minute. Another code can be requested after a
    pause, and the end is shown."""
    async with site.visit() as look:
        await look.page.clock.install()
        await code(look)
        timer, again = look.page.locator("[data-timer]"), look.page.locator("[data-again]")
        said = look.page.locator("[data-said]")
        assert re.search(r"Code expires in \d+:\d\d$", await timer.inner_text())
        assert await again.is_disabled()

        await look.page.clock.run_for(31_000)
        assert await again.is_enabled()
        assert await again.inner_text() == "Send again"

        await look.page.clock.run_for(60_000)
        assert re.fullmatch(r"Code expires in \d minutes", await said.text_content() or "")
        await look.page.clock.run_for(600_000)
        assert "has expired" in await timer.inner_text()


async def test_another_code(site: Site) -> None:
    """The code is sent again without entering the address again."""
    async with site.visit(js=False) as look:
        await code(look)
        await look.send("[data-again]")

        asked = [call for call in site.world.bus.calls if isinstance(call, StartEmailCode)]
        assert [call.email for call in asked] == [EMAIL, EMAIL]


async def test_another_language(site: Site) -> None:
    """One click at the foot of the page changes the language, also of the next pages."""
    async with site.visit() as look:
        await look.go("/login?return_to=/account")
        await look.page.click("text=Deutsch")
        assert "Anmelden" in await look.text()
        await look.fill(email=EMAIL)
        await look.send()

        assert "Passwort eingeben" in await look.text()


async def test_exact_times_in_the_viewers_zone(site: Site) -> None:
    """ "3 hours ago" is followed by the time in the viewer's zone."""
    async with site.visit(signed_in=True, timezone_id="Asia/Tokyo") as look:
        await look.go("/account/sessions")

        time = look.page.locator("time").first
        shown = await time.get_attribute("title")
        moment = await time.get_attribute("datetime")
        expected = await look.page.evaluate(
            """at => new Intl.DateTimeFormat("en", {dateStyle: "medium", timeStyle: "short",
              timeZone: "Asia/Tokyo"}).format(new Date(at))""",
            moment,
        )
        assert shown == expected


async def test_nobody_may_frame_a_page(site: Site) -> None:
    """A page inside another site's frame stays empty. The other site is served from this machine
    too, because browsers refuse such frames of public sites for another reason."""
    frame = f"<iframe src='{site.base}/login'></iframe>".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.0 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(frame)}\r\n\r\n"
        writer.write(head.encode() + frame)
        writer.close()

    evil = await asyncio.start_server(answer, "127.0.0.1", 0)
    context = await site.browser.new_context()
    page = await context.new_page()
    async with evil, page.expect_event("requestfailed") as refused:
        await page.goto(f"http://evil.localhost:{evil.sockets[0].getsockname()[1]}/")
        request = await refused.value
    texts = [await frame.locator("body").inner_text() for frame in page.frames]
    await context.close()

    assert (request.url, request.failure) == (f"{site.base}/login", "net::ERR_BLOCKED_BY_RESPONSE")
    assert not any("Sign in" in text for text in texts)
