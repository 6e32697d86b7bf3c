"""The routes of all pages."""

from __future__ import annotations

from typing import Final

from gateway.pages import (
    account,
    account_data,
    account_email,
    accounts,
    assets,
    code,
    confirm,
    connected_apps,
    connections,
    impersonation,
    invitation,
    link_proof,
    logout,
    mfa_setup,
    organization,
    organizations,
    passkeys,
    provider_sign_in,
    related_origins,
    reset,
    second_factor,
    sessions,
    sign_in,
    sign_up,
    step_up,
    two_step,
)
from gateway.routing import RouteSet

ROUTE_SETS: Final[tuple[RouteSet, ...]] = (
    account.routes,
    account_data.routes,
    account_email.routes,
    accounts.routes,
    assets.routes,
    code.routes,
    confirm.routes,
    step_up.routes,
    connected_apps.routes,
    connections.routes,
    impersonation.routes,
    invitation.routes,
    link_proof.routes,
    logout.routes,
    mfa_setup.routes,
    organization.routes,
    organizations.routes,
    passkeys.routes,
    related_origins.routes,
    provider_sign_in.routes,
    reset.routes,
    second_factor.routes,
    sessions.routes,
    sign_in.routes,
    sign_up.routes,
    two_step.routes,
)
