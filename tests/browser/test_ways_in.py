"""The main job of all ways in, in Chromium: from a website of another origin, through an identity provider,
to a passkey and a second factor, while the developer sees each event arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser
from tests.browser.relying_party import website
from tests.browser.test_journeys import PHONE, PRIMARY, People, Person
from tests.kit.system import PASSWORD, System, fresh_email

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": False,
}
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


@pytest.fixture
async def people(chromium: Browser, system: System) -> AsyncIterator[People]:
    async with (
        website(system, "Shop", first_party=True) as shop,
        website(system, "Notes", first_party=False) as notes,
    ):
        yield People(chromium, system, shop, notes)


class Device:
    """The virtual authenticator of a page. It answers only while it is touched."""

    def __init__(self, cdp: Any, id: str) -> None:
        self.cdp, self.id = cdp, id

    @classmethod
    async def of(cls, person: Person) -> Device:
        cdp = await person.page.context.new_cdp_session(person.page)
        await cdp.send("WebAuthn.enable", {"enableUI": False})
        made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        return cls(cdp, made["authenticatorId"])

    async def touch(self, enabled: bool) -> None:
        await self.cdp.send(
            "WebAuthn.setAutomaticPresenceSimulation",
            {"authenticatorId": self.id, "enabled": enabled},
        )


async def sign_up_through_acme(person: Person, website_login: str, email: str) -> None:
    """Goes from the website to Acme, creates an account there, and comes back signed in."""
    await person.go(website_login)
    await person.click("text=Continue with Acme")
    await person.click("text=Create an account")
    mails = await person.count(email)
    await person.enter(email=email, name="Ada Lovelace", password=PASSWORD)
    await person.enter(code=await person.code(email, mails + 1))
    await person.sees(f"Signed in as {email}")


async def add_passkey(person: Person, device: Device) -> None:
    await person.go("/account/passkeys")
    await device.touch(True)
    await person.page.locator("[data-passkey] [data-ask]:visible").first.click()
    await person.sees("Save your recovery codes")
    await device.touch(False)


async def turn_on_two_steps(person: Person) -> pyotp.TOTP:
    """Turns on an authenticator app. Returns the app."""
    await person.go("/account/two-step")
    await person.click("main a[href^='/account/two-step/app']")
    secret = (await person.page.locator("code.secret").first.inner_text()).replace(" ", "")
    app = pyotp.TOTP(secret)
    await person.enter(code=app.now())
    await person.sees("authenticator app")
    return app


async def next_code(app: pyotp.TOTP, used: str) -> str:
    """Waits until the app shows a code that was not used."""
    ends = time.monotonic() + 40
    while app.now() == used and time.monotonic() < ends:
        await asyncio.sleep(0.5)
    return app.now()


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
@pytest.mark.parametrize("screen", [{"viewport": {"width": 1280, "height": 900}}, PHONE])
async def test_every_way_in(people: People, screen: dict[str, Any]) -> None:
    """A newcomer signs in through a provider, adds a passkey, signs in with only the passkey, turns on
    an authenticator app, and is asked for it the next time. Each step is in the audit log."""
    email = fresh_email()
    async with people.person(**screen) as ada:
        device = await Device.of(ada)
        await sign_up_through_acme(ada, people.shop.login, email)
        await add_passkey(ada, device)
        await ada.go("/logout")
        await ada.click("button[name=confirm]")
        await ada.go("/login")
        await device.touch(True)
        await ada.page.locator("[data-passkey] [data-ask]:visible").first.click()
        await ada.page.wait_for_url("**/account")
        await device.touch(False)
        await ada.sees(email)
        app = await turn_on_two_steps(ada)
        used = app.now()
        await ada.go("/logout")
        await ada.click("button[name=confirm]")
        await ada.go(people.shop.login)
        await ada.click("text=Continue with Acme")
        await ada.sees("Enter the code")
        await ada.fill(code=await next_code(app, used))
        await ada.click(PRIMARY)
        await ada.sees(f"Signed in as {email}")

    assert in_order(EXPECTED, await events_of(people.system, email))
