"""Puts the gateway together from the routes of its modules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final, cast

from fastapi.routing import iter_route_contexts

from common import metrics
from gateway.api import reference
from gateway.api.fastapi_app import json_api
from gateway.api.route_sets import ROUTE_SETS as API_ROUTE_SETS
from gateway.app import GatewayApp
from gateway.dashboard.route_sets import ROUTE_SETS as DASHBOARD_ROUTE_SETS
from gateway.http.asgi import AsgiApp
from gateway.monitoring import certificates, health
from gateway.monitoring.internal_listener import InternalListener
from gateway.oauth import (
    access_evaluation,
    authorize,
    device_authorization,
    discovery,
    introspect,
    logout,
    pushed_requests,
    register,
    revoke,
    token,
    userinfo,
)
from gateway.pages.route_sets import ROUTE_SETS as PAGE_ROUTE_SETS
from gateway.request_metrics import RequestMetrics
from gateway.routing import HostKind, RouteSet, RouteTable
from gateway.state import Gateway

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    health.routes,
    certificates.routes,
    *(module.routes for module in (token, introspect, userinfo, revoke, pushed_requests)),
    *(module.routes for module in (discovery, authorize, logout)),
    device_authorization.routes,
    access_evaluation.routes,
    register.routes,
    reference.routes,
    *API_ROUTE_SETS,
    *PAGE_ROUTE_SETS,
    *DASHBOARD_ROUTE_SETS,
)
"""Every route of the gateway. `aero2 routes` prints them."""


async def nothing() -> None:
    """Starts or stops nothing."""


def build(
    gateway: Gateway,
    start: Callable[[], Awaitable[None]] = nothing,
    stop: Callable[[], Awaitable[None]] = nothing,
) -> GatewayApp:
    """Returns the gateway as one ASGI application."""
    table = route_table(internal=False)
    apis = [json_api(dashboard=dashboard) for dashboard in (False, True)]
    metrics.maintain(metrics.HTTP, metrics.LIMITED)
    metrics.follow(metrics.HTTP_RUNNING, gateway.queues, lambda queues: queues.running)
    metrics.follow(metrics.HTTP_WAITING, gateway.queues, lambda queues: queues.waiting)
    application, dashboard = (cast(AsgiApp, api) for api in apis)
    return GatewayApp(
        gateway=gateway,
        table=table,
        application=application,
        dashboard=dashboard,
        metrics=RequestMetrics(table.paths() | api_paths()),
        start=start,
        stop=stop,
    )


@cache
def api_paths() -> frozenset[str]:
    """Returns the paths of the JSON API, as templates."""
    apis = [json_api(dashboard=dashboard) for dashboard in (False, True)]
    return frozenset(route.path or "" for api in apis for route in iter_route_contexts(api.routes))


def build_internal(gateway: Gateway) -> InternalListener:
    """Returns what the internal listener serves."""
    return InternalListener(gateway, route_table(internal=True))


def route_table(*, internal: bool) -> RouteTable:
    """Returns the routes of the internal listener, or all others."""
    return RouteTable(
        route
        for routes in ROUTE_SETS
        for route in routes.routes
        if (route.host is HostKind.INTERNAL) is internal
    )
