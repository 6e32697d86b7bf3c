"""The organizations of the user: the list, the active one, and leaving."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.members import RemoveMember
from common.contracts.organizations import (
    ListOrganizations,
    Organization,
    OrganizationNotFound,
    SwitchOrganization,
)
from common.problems import Forbidden, Problem
from gateway.auth import browser_sessions as browser
from gateway.http.request import GatewayRequest
from gateway.pages.account import opened
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.organization import HERE, LIST, organization_page, role_name
from gateway.pages.render import Page, go, open_page
from gateway.state import Signed


async def show(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/organizations"""
    return await _list(open_page(visit, signed), fields, signed)


async def _list(
    page: Page, fields: Fields, signed: Signed, errors: dict[str, str] | None = None
) -> Response:
    visit = page.visit
    organizations: list[Organization] = []
    after = None
    try:
        request = ListOrganizations(limit=100, cursor=fields.given("cursor"))
        reply = await visit.gateway.bus.call(visit.context(signed.caller), request)
        organizations, after = reply.organizations, reply.next
    except Forbidden:  # in the Dashboard, of people who may not see teams
        pass
    return opened(
        page,
        "organizations.html",
        LIST,
        fields,
        organizations=organizations,
        active=signed.session.active_org_id,
        role_name=lambda role: role_name(page, role),
        more=at(LIST, cursor=after) if after else None,
        errors=errors,
    )


async def switch(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/organizations: without `org_id` no organization is active any more."""
    page = open_page(visit, signed)
    org_id = fields.given("org_id")
    try:
        request = SwitchOrganization(org_id=org_id)
        session = await visit.gateway.bus.call(visit.context(signed.caller), request)
    except ValidationError:
        error = OrganizationNotFound()
        return await _list(page, fields, signed, errors_of(page.language, error))
    except OrganizationNotFound as error:
        return await _list(page, fields, signed, errors_of(page.language, error))
    await browser.begin(visit, session)
    return go(at(LIST, done="active" if org_id else "inactive"))


async def leave(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/organization/leave"""
    page = open_page(visit, signed)
    try:
        request = RemoveMember(org_id=fields.text("org_id"), user_id=signed.session.user_id)
        await visit.gateway.bus.call(visit.context(signed.caller), request)
    except OrganizationNotFound:
        return go(LIST)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return await organization_page(page, fields, signed, errors=errors)
    return go(at(LIST, done="left"))


ROUTES = [
    shown(LIST, own(show)),
    sent(LIST, own(switch)),
    sent(f"{HERE}/leave", own(leave)),
]
