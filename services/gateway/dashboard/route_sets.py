"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    applications,
    authorization_check,
    client,
    client_grants,
    client_secrets,
    clients,
    new_application,
    overview,
    provider,
    providers,
    search,
    start,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    applications.routes,
    new_application.routes,
    overview.routes,
    search.routes,
    start.routes,
    clients.routes,
    client.routes,
    client_secrets.routes,
    client_grants.routes,
    authorization_check.routes,
    providers.routes,
    provider.routes,
)
