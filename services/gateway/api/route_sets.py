"""The routes of the JSON API, in the order of their modules' names."""

from __future__ import annotations

from typing import Final

from gateway.api.routes import (
    access_check,
    api_keys,
    applications,
    audit,
    auth,
    clients,
    domains,
    grants,
    guests,
    mail_templates,
    me,
    my_identities,
    my_organizations,
    my_roles,
    organizations,
    permissions,
    resources,
    roles,
    rp_userinfo,
    session,
    sessions,
    settings,
    user_identities,
    users,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    access_check.routes,
    api_keys.routes,
    applications.routes,
    audit.routes,
    auth.routes,
    clients.routes,
    domains.routes,
    grants.routes,
    guests.routes,
    mail_templates.routes,
    me.routes,
    my_identities.routes,
    my_organizations.routes,
    my_roles.routes,
    organizations.routes,
    permissions.routes,
    resources.routes,
    roles.routes,
    rp_userinfo.routes,
    session.routes,
    sessions.routes,
    settings.routes,
    user_identities.routes,
    users.routes,
)
