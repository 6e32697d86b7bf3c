"""The Dashboard between teams: a page or form of another team's application does not exist. The paths come
from the route table, so that a new page cannot be forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.kit.system import PASSWORD, Browser, System, fresh_email

from common.ids import new_id
from gateway.build import route_table
from gateway.routing import HostKind, Route

LIVE = "/dashboard/applications/{slug}/live"
"""The stream of live events, which has no end for its own team."""
ROUTES = sorted(
    {
        route
        for alike in route_table(internal=False).templates.values()
        for route in alike
        if route.host is HostKind.DASHBOARD and "{slug}" in route.path and route.path != LIVE
    },
    key=lambda route: (route.path, route.method),
)


def path_in(route: Route, slug: str) -> str:
    """Returns the route's path in an application, with ids that name nothing."""
    parts = (
        slug if part == "{slug}" else new_id() if part.startswith("{") else part
        for part in route.path.split("/")
    )
    return "/".join(parts)


@dataclass
class Developer:
    """A developer at a browser, and their application."""

    browser: Browser
    slug: str
    token: str
    """A token of their forms. It belongs to the session, so it is right for each form."""

    async def open(self, route: Route, slug: str) -> httpx.Response:
        path = path_in(route, slug)
        if route.method == "GET":
            return await self.browser.http.get(path, headers={"accept": "text/html"})
        origin = {"origin": self.browser.origin, "accept": "text/html"}
        return await self.browser.http.post(path, headers=origin, data={"csrf": self.token})


@asynccontextmanager
async def developer(system: System, name: str) -> AsyncIterator[Developer]:
    """A new developer with a personal team and an application, both made on the Dashboard's pages."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    email = fresh_email(name)
    async with system.http("dashboard", headers=operator) as http:
        person: dict[str, Any] = {"email": email, "password": PASSWORD, "email_verified": True}
        made = await http.post("/api/users", json=person)
        assert made.status_code == 201, made.text
    async with system.browser("dashboard") as browser:
        await browser.sign_in(email, PASSWORD)
        form = await browser.get("/dashboard/new")
        page = await browser.submit(form, form.form("name"), name=f"Shop of {name}")
        slug = page.text.split("/dashboard/applications/")[1].split("/")[0].split('"')[0]
        await _until_active(browser, slug)
        token = form.form("name").fields["csrf"]
        yield Developer(browser, slug, token)


async def _until_active(browser: Browser, slug: str) -> None:
    while (await browser.http.get(f"/api/applications/{slug}")).json()["state"] != "active":
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def teams(system: System) -> AsyncIterator[tuple[Developer, Developer]]:
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(developer(system, "ada"))
        bob = await stack.enter_async_context(developer(system, "bob"))
        yield ada, bob


def test_there_are_pages() -> None:
    """The table has pages of applications."""
    assert {"GET"} <= {route.method for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_nothing_of_another_team_exists(
    teams: tuple[Developer, Developer], route: Route
) -> None:
    """Bob gets 404 for Ada's application, whatever the path. A page of their own that names nothing else
    exists."""
    ada, bob = teams

    assert (await bob.open(route, ada.slug)).status_code == 404
    if route.method == "GET" and route.path.count("{") == 1:
        own = await bob.open(route, bob.slug)
        assert own.status_code in (200, 303), own.text


async def test_no_event_of_another_team(teams: tuple[Developer, Developer]) -> None:
    """The stream of another team's application ends at once, as one of no application does."""
    ada, bob = teams
    texts = []
    for slug in (ada.slug, "no-such-application"):
        answer = await bob.browser.http.get(LIVE.replace("{slug}", slug))
        assert answer.text.endswith("event: end\ndata:\n\n")
        texts.append(answer.text)

    assert texts[0] == texts[1]
