"""The routes of all pages of the Dashboard."""

from __future__ import annotations

from typing import Final

from gateway.dashboard import (
    applications,
    mail_sender,
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
    mail_sender.routes,
    new_application.routes,
    new_user.routes,
    overview.routes,
    search.routes,
    start.routes,
    user_activity.routes,
    user_data.routes,
    user_deletion.routes,
    user_impersonation.routes,
    user_invitations.routes,
    user_organizations.routes,
    user_profile.routes,
    user_roles.routes,
    user_sessions.routes,
    user_ways_in.routes,
    users.routes,
)
