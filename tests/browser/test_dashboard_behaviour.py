"""The Dashboard's behaviour in a browser: swaps, history, the keyboard, streams, and sessions that end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Request, Route
from tests.browser.dashboard_people import (
    IN_SIGHT,
    PHONE,
    AtDashboard,
    at_dashboard,
)
from tests.kit.dashboard_developer import Developer
from tests.kit.system import PASSWORD, System

MANY = 110
"""Users, so that a list has three pages."""


@pytest.fixture(scope="module")
async def crowd(system: System, studio: Developer) -> None:
    """Fills the list of users."""
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    async with system.http(studio.slug, headers=headers) as http:
        users = [{"email": f"person{n:03}@tides.example"} for n in range(MANY)]
        imported = await http.post("/api/users/import", json={"users": users})
        assert imported.status_code == 200, imported.text


@pytest.fixture
async def ada(
    chromium: Browser, system: System, studio: Developer, crowd: None
) -> AsyncIterator[AtDashboard]:
    async with at_dashboard(chromium, system, studio) as visitor:
        yield visitor


async def test_a_double_click_saves_once(ada: AtDashboard) -> None:
    """A form is sent once, however often its button is pressed while the answer is on its way."""
    name = f"Pier {secrets.token_hex(3)}"
    await ada.open("/organizations/new")
    await ada.fill(name=name)
    await ada.button("Create organization").dblclick()
    await ada.sees("Organization created.")
    await ada.page.go_back()
    await ada.named("name").wait_for()
    await ada.open(f"/organizations?search={name.replace(' ', '+')}")
    await ada.sees(name, "#organizations")
    assert await ada.page.locator("#organizations tbody tr").count() == 1


async def test_the_address_of_a_filtered_list(ada: AtDashboard) -> None:
    """The list follows the typing, and its address opens the same whole page in a new tab. A user's page
    and Back lead to the same filter."""
    await ada.open("/users")
    await ada.fill(q="person007")
    await ada.page.wait_for_url("**/users?q=person007")
    rows = ada.page.locator("#users tbody tr")
    await rows.nth(1).wait_for(state="detached")
    assert await rows.count() == 1

    other = await ada.tab()
    await other.page.goto(ada.page.url)
    await other.sees("Users", "h1")
    assert await other.page.locator("#users tbody tr").count() == 1

    await ada.page.bring_to_front()
    await ada.press(rows.locator("a"))
    await ada.sees("person007@tides.example", "h1")
    await ada.page.go_back()
    await ada.page.wait_for_url("**/users?q=person007")
    await ada.sees("person007@tides.example", "#users")
    assert await ada.page.locator("#users tbody tr").count() == 1
    assert await ada.named("q").input_value() == "person007"


async def test_a_pager_by_keyboard(ada: AtDashboard) -> None:
    """After each page the focus is still in the list, also on the last page. Back leads through the
    pages."""
    await ada.open("/users")
    pages = 0
    while await (more := ada.page.locator("#users-more")).count():
        before = await ada.page.inner_text("#users tbody")
        await more.focus()
        await ada.page.keyboard.press("Enter")
        changed = "before => document.querySelector('#users tbody').innerText !== before"
        await ada.page.wait_for_function(changed, arg=before)
        inside = "() => document.querySelector('#users').contains(document.activeElement)"
        await ada.page.wait_for_function(inside)
        pages += 1
    assert pages >= 2
    await ada.page.go_back()
    await ada.page.locator("#users-more").wait_for()


async def test_the_copy_button_of_a_snippet_on_a_phone(
    chromium: Browser, system: System, studio: Developer
) -> None:
    """The tabs scroll sideways. What is below them stays where it can be seen."""
    async with at_dashboard(chromium, system, studio, PHONE) as ada:
        await ada.open("/start")
        tabs, copy = ada.page.locator(".tabbed"), ada.page.locator(".tabbed [open] [data-copy]")
        width = await tabs.evaluate("tabs => tabs.scrollWidth - tabs.clientWidth")
        assert width > 0, "the tabs fit, so that this test shows nothing"
        await copy.scroll_into_view_if_needed()
        for place in (0, width):
            await tabs.evaluate("(tabs, place) => { tabs.scrollLeft = place }", place)
            box = await copy.bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= PHONE.width - box["width"], (place, box)


async def test_a_session_that_is_over(ada: AtDashboard, studio: Developer) -> None:
    """A filter leads to the sign-in page as a page of its own, and from there back to the list."""
    await ada.open("/users")
    await ada.page.context.clear_cookies()
    await ada.fill(q="person00")
    await ada.page.wait_for_url("**/login?**")
    await ada.fill(email=studio.email)
    await ada.press(ada.at("main form button.primary"))
    await ada.fill(password=PASSWORD)
    await ada.press(ada.at("main form button.primary"))
    await ada.page.wait_for_url("**/users**")
    await ada.sees("person", "#users")


async def test_live_on_a_slow_line(ada: AtDashboard) -> None:
    """A page is live although a part of its scripts arrives long after the others."""

    async def late(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    await ada.page.route("**/htmx-sse*", late)
    await ada.open()
    await ada.sees("Live", "#live-state")


async def test_a_stream_after_signing_out(
    chromium: Browser, system: System, studio: Developer
) -> None:
    """The page says that it is no longer live. The browser does not ask again."""
    async with at_dashboard(chromium, system, studio) as ada:
        await ada.page.context.clear_cookies()
        await ada.go("/login")
        await ada.fill(email=studio.email)
        await ada.press(ada.at("main form button.primary"))
        await ada.fill(password=PASSWORD)
        await ada.press(ada.at("main form button.primary"))
        await ada.page.wait_for_url(f"{ada.origin}/dashboard**")
        await ada.open("/audit")
        await ada.sees("Live", "#live-state")
        streams: list[str] = []

        def note(request: Request) -> None:
            if "/live" in request.url:
                streams.append(request.url)

        ada.page.on("request", note)
        other = await ada.tab()
        await other.go("/logout")
        await other.press(other.named("confirm"))
        await ada.page.locator("#live-state", has_text="signed out").wait_for(timeout=20_000)
        streams.clear()
        await asyncio.sleep(1.5)
        assert streams == []


async def test_seven_tabs(ada: AtDashboard) -> None:
    """Streams of open tabs leave connections for another one."""
    tabs = [ada, *[await ada.tab() for _ in range(6)]]
    for tab in tabs:
        await tab.open()
        await tab.sees("Latest events")


async def test_signed_out_and_back(chromium: Browser, system: System, studio: Developer) -> None:
    """After signing out, Back shows the sign-in page and nothing of before."""
    async with at_dashboard(chromium, system, studio) as ada:
        await ada.page.context.clear_cookies()
        await ada.go("/login?return_to=/dashboard/teams")
        await ada.fill(email=studio.email)
        await ada.press(ada.at("main form button.primary"))
        await ada.fill(password=PASSWORD)
        await ada.press(ada.at("main form button.primary"))
        await ada.page.wait_for_url(f"{ada.origin}/dashboard/teams")
        await ada.go("/logout")
        await ada.press(ada.named("confirm"))
        await ada.page.wait_for_url("**/logout/done**")
        await ada.page.evaluate("history.go(-2)")
        await ada.page.wait_for_url("**/login**")
        await ada.misses("Create a team")


async def test_focus_stays_in_sight(ada: AtDashboard, studio: Developer) -> None:
    """Shift-Tab up the matrix of roles: the head of the table does not cover the focus."""
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    async with ada.system.http(studio.slug, headers=headers) as http:
        await http.post("/api/roles", json={"id": "pilot", "name": "Pilot"})
    await ada.open("/roles")
    boxes = ada.page.locator("input[form=save-pilot]:not([type=hidden])")
    await boxes.last.focus()
    for _ in range(await boxes.count() - 1):
        await ada.page.keyboard.press("Shift+Tab")
        covered = f"!({IN_SIGHT})(document.activeElement)"
        assert not await ada.page.evaluate(covered), await ada.page.evaluate(
            "document.activeElement.outerHTML"
        )


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "////evil.example/x"])
async def test_no_way_out_after_signing_in(ada: AtDashboard, target: str) -> None:
    """Somebody who is signed in already stays on the Dashboard, wherever the link wants to lead."""
    await ada.go(f"/login?return_to={target}")
    assert ada.page.url.startswith(ada.origin + "/")


async def test_impersonation_arrives(chromium: Browser, system: System, studio: Developer) -> None:
    """The form ends on a page with a link, which opens the application as that user. A banner there
    says so."""
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    async with (
        system.http(studio.slug, headers=headers) as http,
        at_dashboard(chromium, system, studio) as ada,
    ):
        changed = await http.put("/api/settings", json={"impersonation": True})
        assert changed.status_code == 200, changed.text
        (user,) = (await http.get("/api/users", params={"search": "person001"})).json()["users"]
        await ada.open(f"/users/{user['id']}/impersonate")
        await ada.fill(reason="They see an empty page")
        await ada.press("Create the link")
        await ada.sees("The link is ready")
        async with ada.page.context.expect_page() as opening:
            await ada.press("Act as this user")
        theirs = await opening.value
        await theirs.locator("main form button").first.click()
        await theirs.wait_for_url(f"{system.origin(studio.slug)}/account**")
        await theirs.get_by_text("person001@tides.example").first.wait_for()
        await theirs.get_by_role("button", name="End").first.wait_for()
