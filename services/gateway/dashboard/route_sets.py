"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    api_keys,
    app_settings,
    applications,
    branding,
    custom_domains,
    danger,
    mail_templates,
    new_application,
    overview,
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
    app_settings.routes,
    branding.routes,
    api_keys.routes,
    custom_domains.routes,
    mail_templates.routes,
    danger.routes,
)
