"""One organization of the user: its members, and for its admins their roles and invitations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

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
from common.message_ids import N_
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.account import opened
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import UserPageHandler, user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

LIST: Final = "/account/organizations"
HERE: Final = "/account/organization"
ROLES: Final = {"admin": N_("Admin"), "developer": N_("Developer"), "member": N_("Member")}
ADMIN: Final = "admin"


def role_name(page: PageView, role: str | None) -> str:
    """The name of a role; an application's own role is shown by its id."""
    return page.translate(ROLES[role]) if role in ROLES else role or ""


def roles_of(page: PageView) -> list[str]:
    """The roles that every application has; only the Dashboard's teams have developers."""
    return [role for role in ROLES if role != "developer" or page.app.is_dashboard]


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/organization?org_id="""
    return await organization_page(open_page(gateway, request, user), fields, user)


async def organization_page(
    page: PageView, fields: Fields, user: SignedInUser, **more: Any
) -> GatewayResponse:
    """Shows the organization that `fields` name. Redirects to the list if the user is not a member."""
    call, ctx = page.gateway.bus.call, page.request.context(user.caller)
    org_id = fields.text("org_id")
    try:
        organization = await call(ctx, GetOrganization(org_id=org_id))
        listing = ListMembers(org_id=org_id, limit=100, cursor=fields.text_or_none("cursor"))
    except (OrganizationNotFound, ValidationError):
        return redirect(LIST)
    if organization.role is None:
        return redirect(LIST)
    members = await call(ctx, listing)
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


def _change(done: str, request_of: Callable[[PageView, Fields], Request[Any]]) -> UserPageHandler:
    """A form of this page: sends the request made of the fields, then shows the page again."""

    async def handler(
        gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
    ) -> GatewayResponse:
        page = open_page(gateway, request, user)
        try:
            await gateway.bus.call(request.context(user.caller), request_of(page, fields))
        except OrganizationNotFound:
            return redirect(LIST)
        except (Problem, ValidationError) as error:
            errors = errors_of(page.language, error)
            values = {"email": fields.text("email")}
            return await organization_page(page, fields, user, errors=errors, values=values)
        return redirect(at(HERE, org_id=fields.text("org_id"), done=done))

    return handler


def _invite(page: PageView, fields: Fields) -> InviteMember:
    return InviteMember(
        org_id=fields.text("org_id"),
        email=fields.text("email"),
        role=fields.text_or_none("role"),
        locale=page.language.code,
    )


def _change_role(page: PageView, fields: Fields) -> ChangeMemberRole:
    return ChangeMemberRole(
        org_id=fields.text("org_id"), user_id=fields.text("user_id"), role=fields.text("role")
    )


def _remove(page: PageView, fields: Fields) -> RemoveMember:
    return RemoveMember(org_id=fields.text("org_id"), user_id=fields.text("user_id"))


def _resend(page: PageView, fields: Fields) -> ResendOrganizationInvitation:
    return ResendOrganizationInvitation(
        org_id=fields.text("org_id"),
        invitation_id=fields.text("invitation_id"),
        locale=page.language.code,
    )


def _revoke(page: PageView, fields: Fields) -> RevokeOrganizationInvitation:
    return RevokeOrganizationInvitation(
        org_id=fields.text("org_id"), invitation_id=fields.text("invitation_id")
    )


routes = RouteSet(
    (
        user_page_route(HERE, show),
        user_form_route(f"{HERE}/role", _change("role", _change_role), page_path=HERE),
        user_form_route(f"{HERE}/remove", _change("removed", _remove), page_path=HERE),
        user_form_route(f"{HERE}/invite", _change("invited", _invite), page_path=HERE),
        user_form_route(f"{HERE}/resend", _change("invited", _resend), page_path=HERE),
        user_form_route(f"{HERE}/revoke", _change("uninvited", _revoke), page_path=HERE),
    )
)
