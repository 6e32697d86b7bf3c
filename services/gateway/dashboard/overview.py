"""The overview of an application: where it answers, and its latest events."""

from __future__ import annotations

from typing import Final

from common.contracts.audit_log import ListAudit
from gateway.dashboard.api_call import curl
from gateway.dashboard.dashboard_request import APPLICATIONS, DashboardRequest
from gateway.dashboard.page_routes import dashboard_page
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

LATEST: Final = 8
"""Events."""


async def show(call: DashboardRequest) -> GatewayResponse:
    """GET /dashboard/applications/{slug}"""
    events = []
    if call.may("audit:read"):
        events = (await call.call(ListAudit(limit=LATEST))).audit_logs
    return call.show(
        "overview.html", events=events, api=curl(call.managed.tenant, "GET", "/audit?limit=8")
    )


routes = RouteSet((dashboard_page(f"{APPLICATIONS}/{{slug}}", show),))
