"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    applications,
    new_application,
    new_user,
    overview,
    search,
    start,
    user_activity,
    user_data,
    user_deletion,
    user_impersonation,
    user_invitations,
    user_organizations,
    user_profile,
    user_roles,
    user_sessions,
    user_ways_in,
    users,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    applications.routes,
    new_application.routes,
    overview.routes,
    search.routes,
    start.routes,
    users.routes,
    new_user.routes,
    user_invitations.routes,
    user_profile.routes,
    user_sessions.routes,
    user_ways_in.routes,
    user_roles.routes,
    user_organizations.routes,
    user_activity.routes,
    user_data.routes,
    user_impersonation.routes,
    user_deletion.routes,
)
