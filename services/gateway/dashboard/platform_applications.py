"""The applications of all teams, for operators: the list with its search, and a page for each."""

from __future__ import annotations

from typing import Final

from common.contracts.platform_applications import (
    GetPlatformApplication,
    ListPlatformApplications,
)
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.platform_pages import platform_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.routing import RouteSet

PATH: Final = "/applications"
READS: Final = "apps:read:all"
LONGEST_SEARCH: Final = 260
"""Characters: a host with its port."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/applications: the newest first, or for a search the exact match, then those by name."""
    search = visit.fields.text("q")[:LONGEST_SEARCH] or None
    query = ListPlatformApplications(search=search, cursor=visit.fields.text_or_none("cursor"))
    path = f"{visit.home}{PATH}"
    listed = await visit.call(query)
    return visit.show(
        "platform_applications.html",
        part="platform_applications_list.html",
        applications=listed.applications,
        search=search,
        more=at(path, q=search, cursor=listed.next) if listed.next else None,
        first_page=query.cursor is None,
        api=curl_in_dashboard(
            visit.request.app, "GET", at("/platform/applications", search=search)
        ),
    )


async def show_one(visit: Visit) -> GatewayResponse:
    """GET …/applications/{name}: `name` is the slug. The operator does not enter the application."""
    application = await visit.call(GetPlatformApplication(slug=visit.parameters["name"]))
    return visit.show(
        "platform_application.html",
        one=application,
        api=curl_in_dashboard(
            visit.request.app, "GET", f"/platform/applications/{application.slug}"
        ),
    )


routes = RouteSet(
    (
        platform_page(PATH, show, needs=READS),
        platform_page(f"{PATH}/{{name}}", show_one, needs=READS),
    )
)
