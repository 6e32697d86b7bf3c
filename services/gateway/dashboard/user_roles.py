"""The roles of a user: giving and taking them."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.assignments import AssignRole, ListUserRoles, UnassignRole
from common.contracts.roles import ListRoles
from common.problems import Forbidden
from gateway.dashboard.light_replies import RoleChoices
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.undo import undo_text
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, act, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/roles"
PATH: Final = USER + TAB


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/roles"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    user, assigned, all_roles = await asyncio.gather(
        visit.call(get_user(visit)),
        visit.call(ListUserRoles(user_id=visit.parameters["user_id"])),
        visit.read(ListRoles(limit=100), RoleChoices),
    )
    assigned_ids = {role.id for role in assigned.roles if role.org_id is None}
    return show_user(
        visit,
        "user_roles.html",
        user,
        TAB,
        assigned=assigned.roles,
        to_give=[role for role in all_roles.roles if role.id not in assigned_ids],
        errors=errors,
    )


async def give(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/roles: gives a role in the whole application"""
    get_user(visit)
    if not visit.may("roles:write"):
        raise Forbidden
    try:
        call = AssignRole(
            user_id=visit.parameters["user_id"],
            role_id=visit.fields.text("role_id"),
            org_id=visit.fields.text_or_none("org_id"),
        )
    except ValidationError as error:
        return await _show(visit, user_errors(visit, error))
    return await act(visit, call, _show, path=TAB, done="given")


async def take(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/roles/{role_id}/remove: with `org_id`, takes the role in that organization"""
    call = UnassignRole(
        user_id=visit.parameters["user_id"],
        role_id=visit.parameters["role_id"],
        org_id=visit.fields.text_or_none("org_id"),
    )
    values = {"role_id": call.role_id, "org_id": call.org_id}
    undo = undo_text(visit, **{name: value for name, value in values.items() if value})
    return await act(visit, call, _show, path=TAB, done="taken", undo=undo)


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, give),
        dashboard_form(f"{PATH}/{{role_id}}/remove", take, page_path=PATH),
    )
)
