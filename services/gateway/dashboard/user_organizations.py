"""The organizations of a user, with their role in each: adding them to one and removing them."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.members import AddMember, MemberNotFound, RemoveMember
from common.contracts.organizations import (
    GetOrganization,
    ListOrganizations,
    ListUserOrganizations,
    OrganizationNotFound,
    Organizations,
)
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.organization_tabs import member_roles
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.undo import undo_text
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/organizations"
PATH: Final = USER + TAB


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/organizations"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    listing = ListUserOrganizations(
        user_id=visit.parameters["user_id"], cursor=visit.fields.text_or_none("cursor")
    )
    user, listed, others, roles = await asyncio.gather(
        visit.call(get_user(visit)), visit.call(listing), _choices(visit), member_roles(visit)
    )
    return show_user(
        visit,
        "user_organizations.html",
        user,
        TAB,
        part="user_organizations_list.html",
        organizations=listed.organizations,
        choices=others.organizations,
        roles=roles,
        errors=errors,
        values=visit.fields if errors else {},
        more=at(user_path(visit) + TAB, cursor=listed.next) if listed.next else None,
    )


async def _choices(visit: Visit) -> Organizations:
    """Returns the first organizations, which the form suggests."""
    if visit.partial or not visit.may("organizations:write"):
        return Organizations(organizations=[])
    return await visit.call(ListOrganizations(all=True, limit=50))


async def add(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/organizations: adds them without an invitation"""
    get_user(visit)
    if not visit.may("organizations:write"):
        raise Forbidden
    try:
        org_id = await _org_id_of(visit, visit.fields.text("organization"))
        role = visit.fields.text_or_none("role") or "member"
        call = AddMember(org_id=org_id, user_id=visit.parameters["user_id"], role=role)
        await visit.call(call)
    except (Problem, ValidationError) as error:
        return await _show(visit, user_errors(visit, error))
    return redirect(at(user_path(visit) + TAB, done="joined"))


async def _org_id_of(visit: Visit, text: str) -> str:
    """Returns the id of the organization with this slug or id. Raises OrganizationNotFound."""
    listed = await visit.call(ListOrganizations(all=True, search=text[:100], limit=20))
    for one in listed.organizations:
        if one.slug == text.lower():
            return one.id
    try:
        return (await visit.call(GetOrganization(org_id=text))).id
    except ValidationError:  # neither a slug nor an id
        raise OrganizationNotFound from None


async def remove(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/organizations/{org_id}/remove: its page offers to add them again"""
    org_id, user_id = visit.parameters["org_id"], visit.parameters["user_id"]
    if not visit.may("organizations:write"):
        raise Forbidden
    try:
        await visit.call(RemoveMember(org_id=org_id, user_id=user_id))
    except Problem as error:
        if isinstance(error, NotFound) and not isinstance(error, MemberNotFound):
            raise
        return await _show(visit, user_errors(visit, error))
    undo = undo_text(visit, organization=org_id, role=visit.fields.text("role"))
    return redirect(at(user_path(visit) + TAB, done="left", undo=undo))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, add),
        dashboard_form(f"{PATH}/{{org_id}}/remove", remove, page_path=PATH),
    )
)
