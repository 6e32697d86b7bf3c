"""The page to which a sign-in leads that names no other: one for each kind of application."""

from __future__ import annotations

from typing import Final

from common.contracts.tenants import Tenant

APPLICATION: Final = "/account"
DASHBOARD: Final = "/dashboard"


def of(app: Tenant) -> str:
    """Returns the page of this application."""
    return DASHBOARD if app.is_dashboard else APPLICATION
