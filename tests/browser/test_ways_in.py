"""The main job of all ways in, in Chromium: from a website of another origin, through an identity provider,
to a passkey and a second factor, while the developer sees each event arrive."""

from __future__ import annotations

import time
from typing import Any

import pyotp
import pytest
from playwright.async_api import TimeoutError
from tests.browser.journey_people import PHONE, PRIMARY, People, Person
from tests.kit.system import PASSWORD, System, fresh_email
from tests.kit.virtual_authenticator import VirtualAuthenticator

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PASSKEY_BUTTON = "[data-passkey] [data-ask]:visible"
NO_AUTOFILL = """if (window.PublicKeyCredential)
PublicKeyCredential.isConditionalMediationAvailable = async () => false;"""
EXPECTED = [
    "user_created",
    "identity_linked",
    "login",
    "passkey_added",
    "logout",
    "login",
    "totp_enabled",
    "logout",
    "login",
]
"""The events of the journey, in order. Others may stand between them."""


async def sign_up_through_acme(person: Person, website_login: str, email: str) -> None:
    """Goes from the website to Acme, creates an account there, and comes back signed in."""
    await person.go(website_login)
    await person.click("text=Continue with Acme")
    await person.click("text=Create an account")
    mails = await person.count(email)
    await person.enter(email=email, name="Ada Lovelace", password=PASSWORD)
    await person.enter(code=await person.code(email, mails + 1))
    await person.sees(f"Signed in as {email}")


async def arrives(person: Person, url: str) -> None:
    """Waits for a page. Fails with what is shown instead."""
    try:
        await person.page.wait_for_url(url, wait_until="commit")
    except TimeoutError:
        text = await person.page.inner_text("body")
        raise AssertionError(f"{person.page.url} is not {url} but: {text}") from None


async def add_passkey(person: Person, device: VirtualAuthenticator) -> None:
    await person.go("/account/passkeys")
    await device.touch()
    await person.page.click(PASSKEY_BUTTON)
    await person.sees("Save your recovery codes")
    await device.touch(False)


async def sign_out(person: Person) -> None:
    await person.go("/logout")
    await person.click("button[name=confirm]")
    await arrives(person, "**/logout/done")


async def sign_in_by_passkey(person: Person, device: VirtualAuthenticator, *, button: bool) -> None:
    """Signs in with only the passkey: by the button, or by the address field, which asks by itself."""
    if button:
        await person.page.add_init_script(NO_AUTOFILL)
    await device.touch()
    await person.go("/login")
    if button:
        await person.page.click(PASSKEY_BUTTON)
    await arrives(person, "**/account")
    await device.touch(False)


async def turn_on_two_steps(person: Person) -> pyotp.TOTP:
    """Turns on an authenticator app. Returns the app."""
    await person.go("/account/two-step")
    await person.page.click("main a[href^='/account/two-step/app']")
    secret = (await person.page.locator("code.secret").first.inner_text()).replace(" ", "")
    app = pyotp.TOTP(secret)
    await person.enter(code=app.now())
    await arrives(person, "**/account/two-step?done=two_step")
    return app


def unused_code(app: pyotp.TOTP) -> str:
    """Returns the code of the next 30 seconds, which is accepted already. The one of now may be used."""
    return app.at(time.time() + 30)


async def events_of(system: System, email: str) -> list[str]:
    """Returns the types of the user's events, the oldest first, as the developer reads them."""
    async with system.backend() as http:
        (user,) = (await http.get("/api/users", params={"search": email})).json()["users"]
        log = (await http.get(f"/api/users/{user['id']}/audit", params={"limit": 100})).json()
    return [entry["event_type"] for entry in reversed(log["audit_logs"])]


def in_order(expected: list[str], events: list[str]) -> bool:
    rest = iter(events)
    return all(event in rest for event in expected)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "screen", [DESK, pytest.param(PHONE, marks=pytest.mark.long)], ids=["desk", "phone"]
)
async def test_every_way_in(people: People, screen: dict[str, Any]) -> None:
    """A newcomer signs in through a provider, adds a passkey, signs in with only the passkey, turns on
    an authenticator app, and is asked for it the next time. Each step is in the audit log."""
    email = fresh_email()
    async with people.person(**screen) as ada:
        device = await VirtualAuthenticator.of(ada.page)
        await sign_up_through_acme(ada, people.shop.login, email)
        await add_passkey(ada, device)
        await sign_out(ada)
        await sign_in_by_passkey(ada, device, button=screen is not PHONE)
        await ada.sees(email)
        app = await turn_on_two_steps(ada)
        await sign_out(ada)
        await ada.go(people.shop.login)
        await ada.click("text=Continue with Acme")
        await ada.sees("Enter the code")
        await ada.fill(code=unused_code(app))
        await ada.click(PRIMARY)
        await ada.sees(f"Signed in as {email}")

    assert in_order(EXPECTED, await events_of(people.system, email))
