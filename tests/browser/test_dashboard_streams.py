"""A live page in a browser that goes away and comes back, and the end of what somebody may see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Browser, Request
from tests.browser.dashboard_people import AtDashboard, at_dashboard
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.deployments import Ability
from tests.kit.system import System, fresh_email

SHOW = """hidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Tells the page that it is hidden, or shown again, as a phone does when somebody changes the app."""
SECONDS = 20
"""Until the session of the test is idle for too long. The stream is checked once before."""


@pytest.fixture
async def ada(chromium: Browser, system: System, studio: Developer) -> AsyncIterator[AtDashboard]:
    async with at_dashboard(chromium, system, studio) as visitor:
        yield visitor


async def create_user(system: System, studio: Developer) -> str:
    """Creates a user with the secret key. Returns the address."""
    email = fresh_email("moored")
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    async with system.http(studio.slug, headers=headers) as http:
        created = await http.post("/api/users", json={"email": email})
        assert created.status_code == 201, created.text
    return email


async def test_a_phone_changes_apps_and_returns(ada: AtDashboard, studio: Developer) -> None:
    """The stream goes on after the last event that the page has: what happened meanwhile appears, each
    event once."""
    await ada.open("/audit")
    await ada.sees("Live", "#live-state")
    before = await create_user(ada.system, studio)
    await ada.sees(before, "#live-events")
    streams: list[Request] = []
    ada.page.on("request", lambda one: streams.append(one) if "/live" in one.url else None)

    await ada.page.evaluate(SHOW, True)
    meanwhile = await create_user(ada.system, studio)
    await ada.page.wait_for_timeout(500)
    assert streams == []
    await ada.misses(meanwhile)
    await ada.page.evaluate(SHOW, False)
    await ada.sees(meanwhile, "#live-events")
    (stream,) = streams
    assert "last-event-id" in stream.headers
    for email in (before, meanwhile):
        rows = ada.page.locator("#live-events tr", has_text=email)
        links = [await row.locator("a").first.get_attribute("href") for row in await rows.all()]
        assert len(links) == len(set(links)), await ada.page.inner_text("#live-events")
        assert links


@pytest.mark.long
async def test_a_member_is_removed(chromium: Browser, system: System, studio: Developer) -> None:
    """The stream of a former member is over within seconds, and says so."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    async with (
        developer(system, "stowaway", has_application=False) as bob,
        system.http("dashboard", headers=operator) as http,
    ):
        user_id = (await bob.browser.http.get("/api/users/me")).json()["id"]
        owner = (await http.get(f"/api/applications/{studio.slug}")).json()["owner_org_id"]
        members = f"/api/organizations/{owner}/members"
        added = await http.post(members, json={"user_id": user_id, "role": "developer"})
        assert added.status_code in (200, 201), added.text
        bob.slug = studio.slug
        async with at_dashboard(chromium, system, bob) as visitor:
            await visitor.open("/audit")
            await visitor.sees("Live", "#live-state")
            removed = await http.delete(f"{members}/{user_id}")
            assert removed.status_code in (200, 204), removed.text
            over = visitor.page.locator("#live-state", has_text="you may not see these events")
            await over.wait_for(timeout=15_000)
            email = await create_user(system, studio)
            await visitor.page.wait_for_timeout(1_000)
            await visitor.misses(email)


@pytest.mark.long
async def test_a_page_left_open_ends_with_its_session(chromium: Browser, system: System) -> None:
    """A live page is no use of the session, which ends when nobody uses it. The page says so, and leads to
    the sign-in page at the next click."""
    system.deployment.require(Ability.DATA_FOLDER)
    async with developer(system, "asleep") as ada, at_dashboard(chromium, system, ada) as visitor:
        await visitor.open("/audit")
        await visitor.sees("Live", "#live-state")
        user_id = (await ada.browser.http.get("/api/users/me")).json()["id"]
        database = await asyncpg.connect(system.deployment.owner_dsn())
        try:
            ends = await database.fetchval(
                "UPDATE user_sessions SET last_active_at = now() - interval '1 day',"
                " idle_expires_at = now() + make_interval(secs => $2) WHERE user_id = $1"
                " AND revoked_at IS NULL RETURNING idle_expires_at",
                user_id,
                SECONDS,
            )
            over = visitor.page.locator("#live-state", has_text="signed out")
            await over.wait_for(timeout=2_000 * SECONDS)
            kept = await database.fetchval(
                "SELECT max(idle_expires_at) FROM user_sessions WHERE user_id = $1", user_id
            )
            assert kept == ends
        finally:
            await database.close()
        await visitor.press(visitor.at("nav.rooms a[href$='/users']"))
        await visitor.page.wait_for_url("**/login?**")
