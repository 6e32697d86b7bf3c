"""One organization of the user: its members, and for its admins their roles and invitations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.base import Request
from common.contracts.members import ChangeMemberRole, ListMembers, RemoveMember
from common.contracts.org_invitations import (
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import GetOrganization, OrganizationNotFound
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.pages.account import opened
from gateway.pages.endpoint import OwnHandler, own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.languages import N_
from gateway.pages.render import Page, go, open_page
from gateway.state import Signed

LIST: Final = "/account/organizations"
HERE: Final = "/account/organization"
ROLES: Final = {"admin": N_("Admin"), "developer": N_("Developer"), "member": N_("Member")}
ADMIN: Final = "admin"


def role_name(page: Page, role: str | None) -> str:
    """The name of a role; an application's own role is shown by its id."""
    return page.say(ROLES[role]) if role in ROLES else role or ""


def roles_of(page: Page) -> list[str]:
    """The roles that every application has; only the Dashboard's teams have developers."""
    return [role for role in ROLES if role != "developer" or page.app.is_dashboard]


async def show(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/organization?org_id="""
    return await organization_page(open_page(visit, signed), fields, signed)


async def organization_page(page: Page, fields: Fields, signed: Signed, **more: Any) -> Response:
    """Shows the organization that `fields` name; leads to the list if the user is no member."""
    call, ctx = page.visit.gateway.bus.call, page.visit.context(signed.caller)
    org_id = fields.text("org_id")
    try:
        organization = await call(ctx, GetOrganization(org_id=org_id))
        request = ListMembers(org_id=org_id, limit=100, cursor=fields.given("cursor"))
    except (OrganizationNotFound, ValidationError):
        return go(LIST)
    if organization.role is None:
        return go(LIST)
    members = await call(ctx, request)
    invitations: list[OrganizationInvitation] = []
    if organization.role == ADMIN:
        pending = ListOrganizationInvitations(org_id=org_id, status="pending", limit=100)
        invitations = (await call(ctx, pending)).invitations
    return opened(
        page,
        "organization.html",
        LIST,
        fields,
        organization=organization,
        members=members.members,
        more=at(HERE, org_id=org_id, cursor=members.next) if members.next else None,
        invitations=invitations,
        manages=organization.role == ADMIN,
        roles=roles_of(page),
        role_name=lambda role: role_name(page, role),
        address=at(HERE, org_id=org_id),
        **more,
    )


def _change(done: str, request_of: Callable[[Page, Fields], Request[Any]]) -> OwnHandler:
    """A form of this page: sends the request made of the fields, then shows the page again."""

    async def handler(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
        page = open_page(visit, signed)
        try:
            await visit.gateway.bus.call(visit.context(signed.caller), request_of(page, fields))
        except OrganizationNotFound:
            return go(LIST)
        except (Problem, ValidationError) as error:
            errors = errors_of(page.language, error)
            values = {"email": fields.text("email")}
            return await organization_page(page, fields, signed, errors=errors, values=values)
        return go(at(HERE, org_id=fields.text("org_id"), done=done))

    return handler


def _invite(page: Page, fields: Fields) -> InviteMember:
    return InviteMember(
        org_id=fields.text("org_id"),
        email=fields.text("email"),
        role=fields.given("role"),
        locale=page.language.code,
    )


def _change_role(page: Page, fields: Fields) -> ChangeMemberRole:
    return ChangeMemberRole(
        org_id=fields.text("org_id"), user_id=fields.text("user_id"), role=fields.text("role")
    )


def _remove(page: Page, fields: Fields) -> RemoveMember:
    return RemoveMember(org_id=fields.text("org_id"), user_id=fields.text("user_id"))


def _resend(page: Page, fields: Fields) -> ResendOrganizationInvitation:
    return ResendOrganizationInvitation(
        org_id=fields.text("org_id"),
        invitation_id=fields.text("invitation_id"),
        locale=page.language.code,
    )


def _revoke(page: Page, fields: Fields) -> RevokeOrganizationInvitation:
    return RevokeOrganizationInvitation(
        org_id=fields.text("org_id"), invitation_id=fields.text("invitation_id")
    )


ROUTES = [
    shown(HERE, own(show)),
    sent(f"{HERE}/role", own(_change("role", _change_role))),
    sent(f"{HERE}/remove", own(_change("removed", _remove))),
    sent(f"{HERE}/invite", own(_change("invited", _invite))),
    sent(f"{HERE}/resend", own(_change("invited", _resend))),
    sent(f"{HERE}/revoke", own(_change("uninvited", _revoke))),
]
