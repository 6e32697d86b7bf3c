"""Getting started: the keys of a new application, and the steps to its first user."""

from __future__ import annotations

from collections.abc import Sequence

from common.contracts.api_keys import NewApiKey
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}/start"""
    return await show_start(visit)


async def show_start(visit: Visit, *, keys: Sequence[NewApiKey] = ()) -> GatewayResponse:
    """Shows the page. `keys` are those of an application that was just created: this is the only time
    that they are shown."""
    return visit.show("start.html", keys=keys, address=f"{visit.home}/start")


routes = RouteSet((dashboard_page(f"{APPLICATIONS}/{{slug}}/start", show),))
