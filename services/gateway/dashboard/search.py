"""The search of the Dashboard: applications, users of the application that is open, pages and actions. It is
a page of its own, and the palette (Ctrl-K) shows its results."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from common.contracts.applications import ListApplications
from common.contracts.users import ListUsers
from common.problems import Forbidden, Problem
from gateway.auth.managed_application import managed_application
from gateway.dashboard import rooms
from gateway.dashboard.new_application import PATH as NEW
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, PLATFORM, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

PATH: Final = "/dashboard/search"
MAX_QUERY: Final = 100
"""Characters."""
MOST: Final = 5
"""Results of one kind."""
LISTED: Final = 8
"""Applications that are shown before anything is typed. All of them have a page of their own."""
SWITCHER: Final = "applications"
"""The value of `only` with which the switcher asks for applications alone."""


@dataclass(frozen=True)
class SearchResult:
    """A link with its text, and what tells it from others with the same text."""

    label: str
    link: str
    icon: str
    detail: str = ""


async def search(visit: Visit) -> GatewayResponse:
    """GET /dashboard/search?q=&slug=: `slug` is the application that is open. One that the developer
    does not manage is left out, as if none were open. With `only=applications`, these alone."""
    query = visit.fields.text("q")[:MAX_QUERY]
    if visit.fields.text("only") == SWITCHER:
        return _show(visit, query, [("", await _applications(visit, query))])
    visit = await _with_application(visit)
    applications, users = await asyncio.gather(_applications(visit, query), _users(visit, query))
    page = visit.open()
    groups = [
        (page.translate("Users"), users),
        (page.translate("Applications"), applications),
        (page.translate("Go to"), _matching(_places(visit), query)),
    ]
    return _show(visit, query, groups)


def _show(
    visit: Visit, query: str, groups: list[tuple[str, list[SearchResult]]]
) -> GatewayResponse:
    return visit.show(
        "search.html",
        part="search_results.html",
        query=query,
        groups=[(heading, results) for heading, results in groups if results],
        place="switch" if visit.fields.text("only") == SWITCHER else "found",
    )


async def _with_application(visit: Visit) -> Visit:
    slug = visit.fields.text("slug")
    if not slug or len(slug) > MAX_QUERY:
        return visit
    try:
        managed = await managed_application(visit.gateway, visit.request, visit.team_ctx, slug)
    except (Problem, ValueError):
        return visit
    return visit.in_application(managed)


async def _applications(visit: Visit, query: str) -> list[SearchResult]:
    """Returns the applications whose name or slug has each word of the query, however many there are."""
    call = ListApplications(search=query or None, limit=MOST if query else LISTED)
    try:
        listed = await visit.call_dashboard(call)
    except Forbidden:  # they are in no team yet
        return []
    return [
        SearchResult(one.name, f"{APPLICATIONS}/{one.slug}", "client", one.host)
        for one in listed.applications
    ]


async def _users(visit: Visit, query: str) -> list[SearchResult]:
    if not query or visit.application is None or not visit.may("users:read"):
        return []
    try:
        listed = await visit.call(ListUsers(search=query, limit=MOST))
    except Problem:  # the other results are of use without them
        return []
    return [
        SearchResult(
            one.name or one.email or one.id, f"{visit.home}/users/{one.id}", "user", one.email or ""
        )
        for one in listed.users
    ]


def _places(visit: Visit) -> Iterable[SearchResult]:
    """Yields the pages of the open application, and those of the Dashboard."""
    translate = visit.open().translate
    if visit.application is not None:
        for group in rooms.rooms_of(visit.may):
            for room in group.rooms:
                yield SearchResult(translate(room.name), f"{visit.home}{room.path}", room.icon)
    for group in rooms.platform_rooms_of(visit.user.caller):
        for room in group.rooms:
            link, heading = f"{PLATFORM}{room.path}", translate("Platform")
            yield SearchResult(translate(room.name), link, room.icon, heading)
    if visit.may_in_dashboard("apps:create"):
        yield SearchResult(translate("Create application"), NEW, "plus")
    yield SearchResult(translate("Applications"), "/dashboard", "client")
    yield SearchResult(translate("Your account"), "/account", "user")


def _matching(results: Iterable[SearchResult], query: str) -> list[SearchResult]:
    """Returns the results in which each word of the query occurs."""
    words = query.casefold().split()
    matching = [
        one
        for one in results
        if all(word in f"{one.label} {one.detail}".casefold() for word in words)
    ]
    return matching[:MOST] if words else matching


routes = RouteSet((dashboard_page(PATH, search),))
