"""The Dashboard between teams: a page or form of another team's application does not exist. The paths come
from the route table, so that a new page cannot be forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.system import System

from common.ids import new_id
from gateway.build import ROUTE_SETS, route_table
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


PLATFORM = sorted(
    {
        route
        for routes in ROUTE_SETS
        for route in routes.routes
        if route.path.startswith("/dashboard/platform")
    },
    key=lambda route: (route.path, route.method),
)
"""The pages of operators, with the stream of their events."""


def path_in(route: Route, slug: str) -> str:
    """Returns the route's path in an application, with ids that name nothing."""
    parts = (
        slug if part == "{slug}" else new_id() if part.startswith("{") else part
        for part in route.path.split("/")
    )
    return "/".join(parts)


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

    assert (await bob.open(route.method, path_in(route, ada.slug))).status_code == 404
    if route.method == "GET" and route.path.count("{") == 1:
        own = await bob.open(route.method, path_in(route, bob.slug))
        assert own.status_code in (200, 303), own.text


@pytest.mark.parametrize("route", PLATFORM, ids=lambda route: f"{route.method} {route.path}")
async def test_nothing_of_the_platform_exists_for_developers(
    teams: tuple[Developer, Developer], route: Route
) -> None:
    """A developer who is no operator gets 404 for every page and form of the platform. The stream ends
    at once."""
    ada, _ = teams
    answer = await ada.open(route.method, path_in(route, ada.slug))

    if route.path.endswith("/live"):
        assert answer.text.endswith("event: end\ndata:\n\n")
    else:
        assert answer.status_code == 404


async def test_no_event_of_another_team(teams: tuple[Developer, Developer]) -> None:
    """The stream of another team's application ends at once, as one of no application does."""
    ada, bob = teams
    texts = []
    for slug in (ada.slug, "no-such-application"):
        answer = await bob.browser.http.get(LIVE.replace("{slug}", slug))
        assert answer.text.endswith("event: end\ndata:\n\n")
        texts.append(answer.text)

    assert texts[0] == texts[1]
