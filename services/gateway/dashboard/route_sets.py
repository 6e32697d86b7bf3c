"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    applications,
    audit_log,
    live,
    new_application,
    overview,
    search,
    start,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    applications.routes,
    audit_log.routes,
    live.routes,
    new_application.routes,
    overview.routes,
    search.routes,
    start.routes,
)
