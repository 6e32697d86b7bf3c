"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    applications,
    new_application,
    organization,
    organization_domains,
    organization_invitations,
    organization_members,
    organization_sso,
    organizations,
    overview,
    permissions,
    role,
    roles,
    search,
    start,
    team_applications,
    teams,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    applications.routes,
    new_application.routes,
    organization.routes,
    organization_domains.routes,
    organization_invitations.routes,
    organization_members.routes,
    organization_sso.routes,
    organizations.routes,
    overview.routes,
    permissions.routes,
    role.routes,
    roles.routes,
    search.routes,
    start.routes,
    team_applications.routes,
    teams.routes,
)
