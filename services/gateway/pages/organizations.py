"""The organizations of the user: the list, the active one, and leaving."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.members import RemoveMember
from common.contracts.organizations import (
    ListOrganizations,
    Organization,
    OrganizationNotFound,
    SwitchOrganization,
)
from common.problems import Forbidden, Problem
from gateway.auth import browser_sessions
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.account import opened
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.organization import HERE, LIST, organization_page, role_name
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/organizations"""
    return await _list(open_page(gateway, request, user), fields, user)


async def _list(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    organizations: list[Organization] = []
    after = None
    try:
        call = ListOrganizations(limit=100, cursor=fields.text_or_none("cursor"))
        reply = await gateway.bus.call(request.context(user.caller), call)
        organizations, after = reply.organizations, reply.next
    except Forbidden:  # in the Dashboard, of people who may not see teams
        pass
    return opened(
        page,
        "organizations.html",
        LIST,
        fields,
        organizations=organizations,
        active=user.session.active_org_id,
        role_name=lambda role: role_name(page, role),
        more=at(LIST, cursor=after) if after else None,
        errors=errors,
    )


async def switch(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/organizations: without `org_id` no organization is active any more."""
    page = open_page(gateway, request, user)
    org_id = fields.text_or_none("org_id")
    try:
        call = SwitchOrganization(org_id=org_id)
        session = await gateway.bus.call(request.context(user.caller), call)
    except ValidationError:
        error = OrganizationNotFound()
        return await _list(page, fields, user, errors_of(page.language, error))
    except OrganizationNotFound as error:
        return await _list(page, fields, user, errors_of(page.language, error))
    await browser_sessions.start(gateway, request, session)
    return redirect(at(LIST, done="active" if org_id else "inactive"))


async def leave(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/organization/leave"""
    page = open_page(gateway, request, user)
    try:
        call = RemoveMember(org_id=fields.text("org_id"), user_id=user.session.user_id)
        await gateway.bus.call(request.context(user.caller), call)
    except OrganizationNotFound:
        return redirect(LIST)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return await organization_page(page, fields, user, errors=errors)
    return redirect(at(LIST, done="left"))


routes = RouteSet(
    (
        user_page_route(LIST, show),
        user_form_route(LIST, switch),
        user_form_route(f"{HERE}/leave", leave, page_path=HERE),
    )
)
