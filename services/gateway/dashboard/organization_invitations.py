"""The invitations to an organization."""

from __future__ import annotations

import asyncio
from typing import Final, get_args

from common.contracts.org_invitations import (
    InvitationStatus,
    InviteMember,
    ListOrganizationInvitations,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import GetOrganization
from common.message_ids import N_
from gateway.dashboard.organization_tabs import (
    PATH,
    TEAM,
    address_of,
    member_roles,
    org_id_of,
    show_tab,
    tab_form,
    tab_page,
)
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import Route, RouteSet

TAB: Final = "/invitations"
STATUSES: Final[dict[InvitationStatus, str]] = {
    "pending": N_("Pending"),
    "accepted": N_("Accepted"),
    "revoked": N_("Revoked"),
    "expired": N_("Expired"),
}


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET …/organizations/{org_id}/invitations"""
    org_id, status = org_id_of(visit), _status(visit)
    listing = ListOrganizationInvitations(
        org_id=org_id, status=status, limit=50, cursor=visit.fields.text_or_none("cursor")
    )
    organization, listed, roles = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id)), visit.call(listing), member_roles(visit)
    )
    here = f"{address_of(visit)}{TAB}"
    return show_tab(
        visit,
        "organization_invitations.html",
        organization,
        tab=TAB,
        part="organization_invitations_list.html",
        errors=errors,
        invitations=listed.invitations,
        roles=roles,
        shown_status=status,
        default_role="member" if visit.application else "developer",
        statuses=STATUSES,
        more=at(here, status=status, cursor=listed.next) if listed.next else None,
    )


def _status(visit: Visit) -> InvitationStatus:
    """Returns the status to list. Without a known one, the pending invitations."""
    text = visit.fields.text("status")
    return next((status for status in get_args(InvitationStatus) if status == text), "pending")


def _invite(visit: Visit) -> InviteMember:
    return InviteMember(
        org_id=org_id_of(visit),
        email=visit.fields.text("email"),
        role=visit.fields.text_or_none("role"),
    )


def _resend(visit: Visit) -> ResendOrganizationInvitation:
    return ResendOrganizationInvitation(
        org_id=org_id_of(visit), invitation_id=visit.parameters["invitation_id"]
    )


def _revoke(visit: Visit) -> RevokeOrganizationInvitation:
    return RevokeOrganizationInvitation(
        org_id=org_id_of(visit), invitation_id=visit.parameters["invitation_id"]
    )


def _routes(path: str) -> tuple[Route, ...]:
    """Returns the routes below the path of an organization or a team."""
    here, invitation = f"{path}{TAB}", f"{path}{TAB}/{{invitation_id}}"
    resend = tab_form(_resend, page=show, tab=TAB, done="invited")
    revoke = tab_form(_revoke, page=show, tab=TAB, done="revoked")
    return (
        dashboard_page(here, tab_page(show)),
        dashboard_form(here, tab_form(_invite, page=show, tab=TAB, done="invited")),
        dashboard_form(f"{invitation}/resend", resend, page_path=here),
        dashboard_form(f"{invitation}/revoke", revoke, page_path=here),
    )


routes = RouteSet((*_routes(PATH), *_routes(TEAM)))
