"""An operator of the platform and their pages, in Chromium: health, keys, settings, developers, applications,
teams, and a user of somebody else's application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from tests.browser.dashboard_people import (
    DESK,
    KEYBOARD,
    SIZES,
    AtDashboard,
    Screen,
    at_dashboard,
    screens,
)
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.system import System, fresh_email

pytestmark = pytest.mark.parametrize("screen", screens(DESK, *SIZES, *KEYBOARD))
PLATFORM = "/dashboard/platform"
REASON = "Ticket 4711"


@pytest.fixture(scope="module")
async def operator(system: System) -> AsyncIterator[Developer]:
    async with developer(system, "harbour", has_application=False, is_operator=True) as grace:
        yield grace


@pytest.fixture
async def grace(
    chromium: Browser, system: System, operator: Developer, screen: Screen
) -> AsyncIterator[AtDashboard]:
    async with at_dashboard(chromium, system, operator, screen) as visitor:
        yield visitor


async def search(grace: AtDashboard, path: str, text: str) -> None:
    """Finds one thing of a list while typing, and opens it."""
    await grace.go(PLATFORM + path)
    await grace.fill(q=text)
    rows = grace.page.locator("main tbody tr")
    await rows.nth(1).wait_for(state="detached")
    await grace.look(f"platform{path.replace('/', '-')}")
    await grace.press(rows.locator("a.cover").first)


async def test_a_user_of_another_team(grace: AtDashboard, studio: Developer) -> None:
    """The operator gives a reason, finds the user by the whole address, gives a reason again, and sees the
    support view. The team reads both in its log."""
    email = fresh_email("mira")
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    async with grace.system.http(studio.slug, headers=headers) as http:
        body = {"email": email, "profile": {"name": "Mira of the Pier"}}
        user_id = (await http.post("/api/users", json=body)).json()["id"]
        await grace.go(f"{PLATFORM}/users")
        await grace.fill(email=email)
        await grace.press("Find user")
        await grace.at("#reason-error").wait_for()
        assert await grace.named("email").input_value() == email
        await grace.fill(reason=REASON)
        await grace.press("Find user")
        await grace.sees("1 user found")
        assert email not in grace.page.url
        await grace.look("platform-users")
        await grace.press(grace.at(f"#located a[href$='{user_id}']"))
        await grace.sees("Why do you need it?")
        await grace.misses("Mira of the Pier")
        await grace.look("platform-support-reason")
        await grace.fill(reason=REASON)
        await grace.press("Open support view")
        await grace.sees("Mira of the Pier", "h1")
        await grace.sees(REASON, "[role=status]")
        await grace.look("platform-support-view")
        logged = (await http.get(f"/api/users/{user_id}/audit")).json()["audit_logs"]
    types = {event["event_type"] for event in logged}
    assert {"user_located", "support_view_opened"} <= types


async def test_a_developer_is_disabled(grace: AtDashboard, system: System) -> None:
    """The operator finds a developer by their address, disables and enables them. Their team and their
    application have pages, too."""
    async with developer(system, "pilot") as pilot:
        await search(grace, "/developers", pilot.email)
        await grace.sees(pilot.email)
        await grace.look("platform-developer")
        await grace.press(grace.at("[popovertarget=acts]"))
        await grace.press("Disable developer")
        await grace.sees("Disabled", "h1 ~ .row")
        assert (await pilot.browser.http.get("/dashboard")).status_code == 303
        await grace.press(grace.at("[popovertarget=acts]"))
        await grace.press("Enable developer")
        await grace.sees("Active", "h1 ~ .row")
        await grace.press(grace.at("main section[aria-labelledby=teams] a"))
        await grace.sees(pilot.email)
        await grace.look("platform-team")
        await search(grace, "/applications", pilot.slug)
        await grace.sees(f"{pilot.slug}.", "main")
        await grace.look("platform-application")


@pytest.mark.long
async def test_health_and_keys(grace: AtDashboard) -> None:
    """The page of health refreshes its figures by itself, and the focus stays where it is."""
    await grace.go(f"{PLATFORM}/health")
    await grace.sees("Health", "h1")
    await grace.sees("identity", "#figures")
    await grace.look("platform-health")
    await grace.at("main .head a.button").focus()
    async with grace.page.expect_response("**/health/figures", timeout=20_000):
        pass
    await grace.sees("identity", "#figures")
    assert "health" in await grace.page.evaluate("document.activeElement.href")
    await grace.go(f"{PLATFORM}/signing-keys")
    await grace.sees("Signing keys", "h1")
    await grace.look("platform-signing-keys")


@pytest.mark.long
async def test_settings_of_the_platform(grace: AtDashboard) -> None:
    """A number that is not allowed comes back with what was typed. A right one is saved."""
    await grace.go(f"{PLATFORM}/settings")
    save = grace.at("form[action$='/settings/teams'] button:not([type=reset])")
    await grace.fill(applications_per_team="0")
    await grace.press(save)
    await grace.at("#applications_per_team-error").wait_for()
    assert await grace.named("applications_per_team").input_value() == "0"
    await grace.look("platform-settings")
    await grace.fill(applications_per_team="900")
    await grace.press(save)
    await grace.sees("Saved", "form[action$='/settings/teams']")
    await grace.fill(applications_per_team="")
    await grace.press(save)
    await grace.sees("Saved", "form[action$='/settings/teams']")
    assert await grace.named("applications_per_team").input_value() == ""
