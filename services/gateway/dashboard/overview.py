"""The overview of an application: where it answers, and its latest events."""

from __future__ import annotations

from typing import Final

from common.contracts.audit_log import ListAudit
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

LATEST: Final = 8
"""Events."""


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}"""
    events = []
    if visit.may("audit:read"):
        events = (await visit.call(ListAudit(limit=LATEST))).audit_logs
    return visit.show(
        "overview.html", events=events, api=curl(visit.managed.tenant, "GET", "/audit?limit=8")
    )


routes = RouteSet((dashboard_page(f"{APPLICATIONS}/{{slug}}", show),))
