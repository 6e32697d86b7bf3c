"""Passkeys in Chromium, with its virtual authenticator (WebDriver extension of Web Authentication).

With AERO2_SHOTS=<folder> each step is stored as a picture.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, expect
from tests.browser.conftest import Look, Site
from tests.kit import factor_people
from tests.kit.people import EMAIL, PASSWORD
from tests.kit.virtual_authenticator import VirtualAuthenticator

from common.contracts.passkey_sign_in import ConfirmWithPasskey
from common.contracts.sessions import SecondFactor


@asynccontextmanager
async def visit(site: Site, **more: Any) -> AsyncIterator[tuple[Look, VirtualAuthenticator]]:
    """Yields a page with an authenticator."""
    async with site.visit(**more) as look:
        yield look, await VirtualAuthenticator.of(look.page)


async def shots(look: Look, name: str) -> None:
    """Stores the page at 390 and 1280 pixels, light and dark."""
    if folder := os.environ.get("AERO2_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            await look.page.emulate_media(color_scheme=scheme)
            for width in (390, 1280):
                await look.page.set_viewport_size({"width": width, "height": 800})
                path = f"{folder}/{name}-{width}-{scheme}.png"
                await look.page.screenshot(path=path, full_page=True)


async def add(look: Look, device: VirtualAuthenticator) -> None:
    """Adds a passkey on the page of the account."""
    await device.touch()
    async with look.page.expect_response("**/api/users/me/passkeys/options"):
        await look.go("/account/passkeys")
    await look.page.click("text=Add a passkey")


async def sign_out(look: Look, device: VirtualAuthenticator) -> None:
    await device.touch(False)
    await look.page.context.clear_cookies()
    look.site.world.sessions.clear()


async def ready(look: Look, path: str = "/login") -> None:
    """Opens the sign-in page, and waits until its options are there."""
    async with look.page.expect_response("**/api/auth/passkey/options"):
        await look.go(path)
    await look.page.wait_for_timeout(200)  # until the address field waits for a passkey


async def test_add_a_passkey_and_sign_in_with_it(site: Site) -> None:
    """The first passkey shows the recovery codes. After signing out, the button and the address field
    each sign in with nothing else."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator(".codes li")).to_have_count(10)
        await shots(look, "passkey-codes")
        await look.page.click("[data-codes] .primary")
        await expect(look.page.locator(".list li")).to_have_count(1)
        await expect(look.page.locator(".note")).to_contain_text("Passkey added")
        await shots(look, "passkey-added")

        await sign_out(look, device)
        await ready(look)
        await shots(look, "passkey-sign-in")
        await device.touch()
        await look.page.click("text=Sign in with a passkey")
        await look.page.wait_for_url("**/account")

        await sign_out(look, device)
        await device.touch()
        await look.go("/login?return_to=/account/sessions")
        await look.page.wait_for_url(f"{site.base}/account/sessions")


async def test_the_button_stops_what_waits_in_the_address_field(site: Site) -> None:
    """The browser has one request at a time. The one of the button signs in, and one answer is sent."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        sent: list[str] = []
        look.page.on("request", lambda one: sent.append(one.url))
        await ready(look)
        assert [one for one in sent if one.endswith("/passkey/verify")] == []

        await device.touch()
        await look.page.click("text=Sign in with a passkey")
        await look.page.wait_for_url("**/account")

        assert len([one for one in sent if one.endswith("/passkey/options")]) == 1
        assert len([one for one in sent if one.endswith("/passkey/verify")]) == 1


async def test_the_button_waits_for_the_answer_of_the_address_field(site: Site) -> None:
    """A second answer would start another session, end the first one, and be lost with the page."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        waiting: list[Route] = []
        await look.page.route("**/passkey/verify", lambda route: waiting.append(route))
        await device.touch()
        async with look.page.expect_request("**/passkey/verify"):
            await look.go("/login")
        await look.page.click("text=Sign in with a passkey")
        await look.page.click("text=Sign in with a passkey")
        await expect(look.page.locator("[data-said]")).to_be_hidden()
        await waiting[0].continue_()
        await look.page.wait_for_url("**/account")

        assert len(waiting) == 1


async def test_the_button_before_the_options_have_come(site: Site) -> None:
    """The button asks as soon as it can, and the address field does not ask beside it."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        waiting: list[Route] = []
        sent: list[str] = []
        look.page.on("request", lambda one: sent.append(one.url))
        await look.page.route("**/passkey/options", lambda route: waiting.append(route))
        await device.touch()
        async with look.page.expect_request("**/passkey/options"):
            await look.go("/login")
        await look.page.click("text=Sign in with a passkey")
        await waiting[0].continue_()
        await look.page.wait_for_url("**/account")

        assert len([one for one in sent if one.endswith("/passkey/verify")]) == 1


async def test_after_a_failure_the_address_field_asks_again(site: Site) -> None:
    """With another challenge: the first one is used up."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        site.people.passkeys.refuse_next = True
        sent: list[str] = []
        look.page.on("request", lambda one: sent.append(one.url))
        await device.touch()
        await look.go("/login")
        await look.page.wait_for_url("**/account")

        assert len([one for one in sent if one.endswith("/passkey/options")]) == 2
        assert len([one for one in sent if one.endswith("/passkey/verify")]) == 2


async def test_an_answer_cannot_be_sent_twice(site: Site) -> None:
    """The second post of the same answer starts no session."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        await ready(look)
        await device.touch()
        async with look.page.expect_request("**/passkey/verify") as sent:
            await look.page.click("text=Sign in with a passkey")
        body = (await sent.value).post_data
        await look.page.wait_for_url("**/account")
        await sign_out(look, device)
        await ready(look)

        status = await look.page.evaluate(
            """body => fetch("/api/auth/passkey/verify", {method: "POST", body,
              headers: {"content-type": "application/json"}}).then(answer => answer.status)""",
            body,
        )

        assert status == 410
        await look.go("/account")
        assert look.path.startswith("/login")


async def test_an_unverified_user_does_not_sign_in(site: Site) -> None:
    """The page says so and stays usable by the other ways."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        await sign_out(look, device)
        await device.verify_user(False)
        await ready(look)
        await device.touch()
        await look.page.click("text=Sign in with a passkey")

        await expect(look.page.locator("[data-said]")).to_contain_text("No passkey was used")
        await shots(look, "passkey-not-used")
        await look.fill(email=EMAIL)
        await look.send()
        assert look.path.startswith("/login/password")


async def test_an_unknown_passkey_is_reported_to_the_browser(site: Site) -> None:
    """Nobody has it any more, so the browser may delete it."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        site.people.passkeys.keys.clear()
        site.people.passkeys.entries.clear()
        await sign_out(look, device)
        await look.page.add_init_script(
            """window.told = [];
            if (window.PublicKeyCredential) {
              PublicKeyCredential.signalUnknownCredential = async (one) => { told.push(one); };
            }"""
        )
        (credential,) = await device.credentials()
        await ready(look)
        await device.touch()
        await look.page.click("text=Sign in with a passkey")

        await expect(look.page.locator("[data-said]")).to_contain_text("no longer in use")
        (told, *_) = await look.page.evaluate("told")
        assert told["rpId"] == "acme.localhost"
        assert told["credentialId"].rstrip("=") == (
            credential["credentialId"].replace("+", "-").replace("/", "_").rstrip("=")
        )


async def test_the_browser_hears_which_passkeys_are_left(site: Site) -> None:
    """After a removal, on the page of the account."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await look.page.click("[data-codes] .primary")
        await look.page.add_init_script(
            """window.told = [];
            if (window.PublicKeyCredential) {
              PublicKeyCredential.signalAllAcceptedCredentials = async (one) => { told.push(one); };
              PublicKeyCredential.signalCurrentUserDetails = async (one) => { told.push(one); };
            }"""
        )
        await look.page.click("button[value=remove]")
        await expect(look.page.locator(".note")).to_contain_text("Passkey removed")
        await look.page.wait_for_function("told.length === 2")

        accepted, details = await look.page.evaluate("told")
        assert accepted["rpId"] == "acme.localhost"
        assert accepted["allAcceptedCredentialIds"] == []
        assert (details["name"], details["displayName"]) == (EMAIL, "Ada Lovelace")


async def test_a_late_list_does_not_delete_the_new_passkey(site: Site) -> None:
    """The page asks for the list when it opens. If the answer comes after a passkey was created, the
    browser does not hear of it, because it would delete the passkey."""
    async with visit(site, signed_in=True) as (look, device):
        waiting: list[Route] = []
        await look.page.route(
            "**/api/users/me/passkeys", lambda route: waiting.append(route), times=1
        )
        async with look.page.expect_request("**/api/users/me/passkeys"):
            await add(look, device)
        await expect(look.page.locator("[data-codes]")).to_be_visible()
        late: dict[str, Any] = {
            "passkeys": [],
            "user_name": EMAIL,
            "display_name": "Ada",
            "rp_id": "acme.localhost",
        }
        (credential,) = await device.credentials()
        handle = credential["userHandle"].rstrip("=")
        late["user_handle"] = handle.replace("+", "-").replace("/", "_")
        async with look.page.expect_response("**/api/users/me/passkeys"):
            await waiting[0].fulfill(json=late)
        await look.page.click("[data-codes] .primary")
        await expect(look.page.locator(".note")).to_contain_text("Passkey added")

        assert len(await device.credentials()) == 1


async def test_a_passkey_is_renamed_on_the_page(site: Site) -> None:
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await look.page.click("[data-codes] .primary")
        await look.page.click("summary")
        await look.fill(name="Work laptop")
        await look.page.click("button[value=rename]")

        await expect(look.page.locator(".list strong")).to_have_text("Work laptop")


async def test_the_same_device_is_not_added_twice(site: Site) -> None:
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await look.page.click("[data-codes] .primary")
        await add(look, device)

        await expect(look.page.locator("[data-said]")).to_contain_text("already have")
        assert len(await device.credentials()) == 1


async def test_an_old_sign_in_is_confirmed_first(site: Site) -> None:
    """The button leads to the confirmation, which leads back."""
    async with visit(site, signed_in=True) as (look, device):
        site.people.fresh = False
        await add(look, device)
        await look.page.wait_for_url("**/login/confirm**")
        await look.fill(password=PASSWORD)
        await look.send()

        assert look.path == "/account/passkeys"


@pytest.mark.parametrize("path", ["/login/step-up", "/login/confirm"])
async def test_a_passkey_confirms(site: Site, path: str) -> None:
    """A user whose only second factor is a passkey confirms with it, also on the page that asks for
    second factors. Then they continue where they were going, in a new session."""
    site.sign_in()
    key = (site.app.app_id, "t_ada")
    factors = {"second_factors": ["passkey", "recovery_code"]}
    site.world.sessions[key] = site.world.sessions[key].model_copy(update=factors)
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator(".codes li")).to_have_count(10)
        async with look.page.expect_response("**/api/auth/passkey/confirm/options"):
            await look.go(f"{path}?return_to=/account/sessions")
        assert "authenticator app" not in await look.text()
        await shots(look, f"passkey-{path[7:]}")
        await look.page.click("text=Use a passkey")
        await look.page.wait_for_url(f"{site.base}/account/sessions")

        assert any(isinstance(call, ConfirmWithPasskey) for call in site.world.bus.calls)
        cookies = {one["name"]: one["value"] for one in await look.page.context.cookies()}
        assert cookies["aero2_session"].startswith("tok")


@pytest.mark.parametrize("factors", [["passkey"], ["totp", "passkey"]])
async def test_a_passkey_as_second_factor_remembers_the_device(
    site: Site, factors: list[SecondFactor]
) -> None:
    """The choice is offered beside the passkey too, and goes with it. Without the choice, no cookie is
    set."""
    async with visit(site, signed_in=True) as (look, device):
        await add(look, device)
        await expect(look.page.locator(".codes li")).to_have_count(10)
        for chosen in (False, True):
            await sign_out(look, device)
            waiting = factor_people.challenge().model_copy(update={"factors": factors})
            site.people.challenge = waiting
            await look.go("/login")
            await look.fill(email=EMAIL)
            await look.send()
            await look.fill(password=PASSWORD)
            async with look.page.expect_response("**/second-factor/options"):
                await look.send()
            if chosen:
                await look.page.check("[name=remember_device]")
                await shots(look, f"second-factor-{len(factors)}")
            await device.touch()
            await look.page.click("text=Use a passkey")
            await look.page.wait_for_url("**/account")
            names = {one["name"] for one in await look.page.context.cookies()}
            assert any(name.startswith("aero2_device_") for name in names) == chosen


async def test_no_device_is_remembered_for_no_days(site: Site) -> None:
    """With 0 days the page offers no choice."""
    site.configure(mfa_remember_device_days=0)
    waiting = factor_people.challenge().model_copy(update={"factors": ["passkey"]})
    site.people.challenge = waiting
    async with visit(site) as (look, _):
        await look.go("/login")
        await look.fill(email=EMAIL)
        await look.send()
        await look.fill(password=PASSWORD)
        await look.send()
        assert look.path.startswith("/login/second-factor")
        assert await look.page.locator("[name=remember_device]").count() == 0


async def test_the_offer_after_a_password(site: Site) -> None:
    """A browser with an authenticator is asked once, and can say no. It continues where it was going."""
    async with visit(site) as (look, device):
        site.people.offers_passkey = True
        await look.go("/login?return_to=/account/sessions")
        await look.fill(email=EMAIL)
        await look.send()
        await expect(look.page.locator("[name=has_authenticator]")).to_have_value("1")
        await look.fill(password=PASSWORD)
        await look.send()
        assert look.path.startswith("/login/passkey-offer")
        assert site.people.passkeys.offers == 1
        await shots(look, "passkey-offer")
        await look.page.click("text=Not now")

        assert look.path == "/account/sessions"
        assert await device.credentials() == []


async def test_sign_up_with_only_a_passkey(site: Site) -> None:
    """The e-mail address, one press, and the account is there with its recovery codes."""
    async with visit(site) as (look, device):
        site.configure(passkey_sign_up=True)
        await device.touch()
        await look.go("/signup")
        await look.fill(email="new@example.com")
        await shots(look, "passkey-sign-up")
        await look.page.click("text=Sign up with a passkey instead")
        await look.page.click("text=Create a passkey")
        await expect(look.page.locator(".codes li")).to_have_count(10)
        await look.page.click("[data-codes] .primary")

        await look.page.wait_for_url("**/account")
        assert len(await device.credentials()) == 1


@pytest.mark.parametrize("path", ["/login", "/signup"])
async def test_a_page_without_scripts_shows_no_passkeys(site: Site, path: str) -> None:
    """The other ways stay."""
    async with site.visit(js=False) as look:
        site.configure(passkey_sign_up=True)
        await look.go(path)

        assert "passkey" not in (await look.text()).lower()
        await expect(look.page.locator("[name=email]")).to_be_visible()
