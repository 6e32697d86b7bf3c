"""The pages to which a sign-in leads that names no other, and an accepted invitation: one for each kind of
application."""

from __future__ import annotations

from typing import Final

from common.contracts.tenants import Tenant

APPLICATION: Final = "/account"
DASHBOARD: Final = "/dashboard"


def of(app: Tenant) -> str:
    """Returns the page of this application."""
    return DASHBOARD if app.is_dashboard else APPLICATION


def of_member(app: Tenant, org_id: str) -> str:
    """Returns the page of a new member of an organization. In the Dashboard, these are the applications
    of the team."""
    if not app.is_dashboard:
        return APPLICATION
    return f"{DASHBOARD}/teams/{org_id}/applications?done=joined"
