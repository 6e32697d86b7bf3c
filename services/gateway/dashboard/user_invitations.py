"""Invitations to the application: the form that sends one, and those that nobody accepted yet."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.base import Request
from common.contracts.invitations import (
    Invitation,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.profiles import Profile
from common.contracts.roles import ListRoles
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.light_replies import RoleChoice, RoleChoices
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import USERS
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{USERS}/invite"
NOTICES: Final = {
    "invited": N_("Invitation sent."),
    "resent": N_("Invitation sent again. The old link no longer works."),
    "uninvited": N_("Invitation revoked."),
}
FIELDS: Final = ("email", "name", "role_ids")


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/invite"""
    if not visit.may("users:write"):
        raise Forbidden
    return await _show(visit)


async def _show(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    (open_invitations, more), roles = await asyncio.gather(_invitations(visit), _roles(visit))
    done = NOTICES.get(visit.fields.text("done")) if visit.request.method == "GET" else None
    return visit.show(
        "user_invitations.html",
        part="user_invitations_list.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in FIELDS if name in visit.fields},
        invitations=open_invitations,
        more=more,
        roles=roles,
        notice=visit.open().translate(done) if done else None,
        address=f"{visit.home}/users/invite",
        api=curl(visit.managed.tenant, "POST", "/users/invitations", {"email": "ada@example.com"}),
    )


async def _invitations(visit: Visit) -> tuple[list[Invitation], str | None]:
    listed = await visit.call(ListInvitations(cursor=visit.fields.text_or_none("cursor")))
    more = at(f"{visit.home}/users/invite", cursor=listed.next) if listed.next else None
    return listed.invitations, more


async def _roles(visit: Visit) -> list[RoleChoice]:
    """Returns the roles to give, if the developer may see and give them."""
    if not (visit.may("roles:read") and visit.may("roles:write")):
        return []
    return (await visit.read(ListRoles(limit=100), RoleChoices)).roles


async def invite(visit: Visit) -> GatewayResponse:
    """POST …/users/invite"""
    if not visit.may("users:write"):
        raise Forbidden
    role = visit.fields.text_or_none("role_ids")
    try:
        call = InviteUser(
            email=visit.fields.text("email"),
            role_ids=[role] if role else [],
            profile=Profile(name=visit.fields.text_or_none("name")),
        )
        await visit.call(call)
    except (Problem, ValidationError) as error:
        return await _show(visit, user_errors(visit, error))
    return redirect(at(f"{visit.home}/users/invite", done="invited"))


async def resend(visit: Visit) -> GatewayResponse:
    """POST …/users/invitations/{invitation_id}/resend"""
    call = ResendInvitation(invitation_id=visit.parameters["invitation_id"])
    return await _act(visit, call, "resent")


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/users/invitations/{invitation_id}/revoke"""
    call = RevokeInvitation(invitation_id=visit.parameters["invitation_id"])
    return await _act(visit, call, "uninvited")


async def _act(visit: Visit, call: Request[Any], done: str) -> GatewayResponse:
    try:
        await visit.call(call)
    except Problem as error:
        return await _show(visit, user_errors(visit, error))
    return redirect(at(f"{visit.home}/users/invite", done=done))


ONE: Final = f"{USERS}/invitations/{{invitation_id}}"
routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, invite),
        dashboard_form(f"{ONE}/resend", resend, page_path=PATH),
        dashboard_form(f"{ONE}/revoke", revoke, page_path=PATH),
    )
)
