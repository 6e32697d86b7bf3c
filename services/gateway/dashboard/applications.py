"""The applications of a developer's teams: where the Dashboard begins."""

from __future__ import annotations

from typing import Final

from common.contracts.applications import ListApplications
from common.message_ids import N_
from common.problems import Forbidden
from gateway.dashboard.light_replies import ListedApplications
from gateway.dashboard.new_application import PATH as NEW
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, HOME, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

PAGE_SIZE: Final = 50
MAX_QUERY: Final = 100
"""Characters."""
NOTICES: Final = {
    "exists": N_(
        "This application was already created, and there is no second one. If you don't have its secret "
        "key, rotate it."
    ),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard: the applications, the oldest first. Without any, the page that creates one."""
    cursor, query = visit.fields.text_or_none("cursor"), visit.fields.text("q")[:MAX_QUERY]
    call = ListApplications(limit=PAGE_SIZE, cursor=cursor, search=query or None)
    try:
        listed = await visit.read(call, ListedApplications)
    except Forbidden:  # they are in no team yet
        return redirect("/account")
    if not listed.applications and cursor is None and not query and visit.may("apps:create"):
        return redirect(NEW)
    return visit.show(
        "applications.html",
        part="applications_list.html",
        applications=listed.applications,
        query=query,
        searches=bool(query or cursor or listed.next),
        more=at(HOME, q=query, cursor=listed.next) if listed.next else None,
        creates=visit.may("apps:create"),
        notice=NOTICES.get(visit.fields.text("done")),
    )


async def to_home(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications"""
    return redirect(HOME)


routes = RouteSet((dashboard_page(HOME, show), dashboard_page(APPLICATIONS, to_home)))
