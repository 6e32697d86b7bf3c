"""From the owner link to a user who is signed in to an application of one's own."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import pytest
from playwright.async_api import Browser
from tests.browser.dashboard_people import (
    DESK,
    KEYBOARD,
    PHONE,
    SIZES,
    AtDashboard,
    Screen,
    browsing,
    screens,
)
from tests.kit.system import PASSWORD, System, fresh_email

MOST_SECONDS: Final = 120


async def owner_link(system: System) -> str:
    """Returns a new link, as an operator requests it."""
    made = await asyncio.to_thread(system.deployment.command, "owner-link")
    assert made.returncode == 0, made.stderr
    return made.stdout.split()[-1]


async def become_owner(ada: AtDashboard) -> None:
    await ada.page.goto(await owner_link(ada.system))
    await ada.fill(email=fresh_email("owner"), password=PASSWORD)
    await ada.press(ada.at("main form button.primary"))
    await ada.page.wait_for_url(f"{ada.origin}/dashboard**")


async def create_application(ada: AtDashboard, name: str) -> None:
    """From the first page on, whether the owner has a team and applications or not."""
    if not await ada.page.locator("main [name=name]").count():
        await ada.press("Create application")
        await ada.page.wait_for_url("**/new")
    if await ada.page.locator("main [name=team]").count():
        await ada.fill(team="Harbour Studio")
    await ada.fill(name=name)
    await ada.press("Create application")
    await ada.sees(f"{name} is ready")


async def sign_up(visitor: AtDashboard, email: str) -> None:
    """Signs up at the page that "Try the sign-in page" opened."""
    await visitor.press(visitor.page.get_by_text("Create an account"))
    await visitor.fill(email=email, password=PASSWORD)
    await visitor.press(visitor.at("main form button.primary"))
    await visitor.named("code").wait_for()
    code = await visitor.system.mailed_code(email)
    await visitor.fill(code=code)
    await visitor.sees(email)


@pytest.mark.parametrize("screen", screens(DESK, PHONE, *SIZES, *KEYBOARD))
async def test_the_first_minutes(chromium: Browser, system: System, screen: Screen) -> None:
    """An owner types an address, a password and the name of an application, and that of a team if there is
    none. In a second tab they sign up at the real page. The first tab shows it live and ticks the step."""
    started = time.monotonic()
    async with browsing(chromium, system, screen) as ada:
        await become_owner(ada)
        await create_application(ada, "Tideline")
        await ada.look("start")
        assert set(ada.typed) - {"team"} == {"email", "password", "name"}

        async with ada.page.context.expect_page() as opening:
            await ada.press("Try the sign-in page")
        visitor = AtDashboard(await opening.value, system, screen=screen)
        visitor.listen()
        email = fresh_email("first")
        await sign_up(visitor, email)
        assert visitor.typed == ["email", "password", "code"]

        await ada.page.bring_to_front()
        await ada.sees(email, "#live-events")
        await ada.page.locator("#steps li.good", has_text="First user").wait_for()
        await ada.look("started")
        ada.complaints += visitor.complaints
    assert time.monotonic() - started < MOST_SECONDS
