"""The roles of an application: the matrix of roles and permissions, and a new role."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.roles import CreateRole, ListRoles
from common.problems import Forbidden, Problem
from gateway.dashboard import role_pages
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.permission_groups import EXPLANATIONS, grouped
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.role_pages import PATH, kind_of, role_address, roles_address
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

ROLES_SHOWN: Final = 12
"""Columns of the matrix."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/roles"""
    kind, cursor, after = kind_of(visit), visit.fields.text("cursor"), visit.fields.text("after")
    listing = ListRoles(kind=kind, limit=ROLES_SHOWN, cursor=after or None)
    listed, permissions = await asyncio.gather(
        visit.call(listing), role_pages.shown_permissions(visit)
    )
    next_roles, next_permissions = listed.next, permissions.next
    return visit.show(
        "roles.html",
        roles=listed.roles,
        editable={r.id for r in listed.roles if not role_pages.has_fixed_permissions(r, kind)},
        versions={role.id: role.version for role in listed.roles},
        groups=grouped(role_pages.for_kind(permissions, kind)),
        explanations=EXPLANATIONS,
        cursor=cursor,
        after=after,
        more_roles=roles_address(visit, kind, cursor=cursor, after=next_roles)
        if next_roles
        else None,
        more=roles_address(visit, kind, after=after, cursor=next_permissions)
        if next_permissions
        else None,
        notice=role_pages.notice(visit),
        api=curl(visit.managed.tenant, "GET", "/roles"),
        **role_pages.common_variables(visit, kind),
    )


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/roles/new"""
    return await _ask(visit)


async def _ask(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    if not visit.may("roles:write"):
        raise Forbidden
    kind = kind_of(visit)
    permissions = await role_pages.shown_permissions(visit)
    return visit.show(
        "new_role.html",
        errors=errors,
        values=visit.fields if errors else {},
        groups=grouped(role_pages.for_kind(permissions, kind)),
        explanations=EXPLANATIONS,
        checked=role_pages.checked(visit) if errors else set(),
        api=curl(visit.managed.tenant, "POST", "/roles", {"name": "Editor"}),
        **role_pages.common_variables(visit, kind),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/roles/new"""
    kind = kind_of(visit)
    try:
        new = CreateRole(
            kind=kind,
            name=visit.fields.text("name"),
            id=visit.fields.text_or_none("id"),
            description=visit.fields.text_or_none("description"),
            permissions=sorted(role_pages.checked(visit)),
        )
        role = await visit.call(new)
    except (Problem, ValidationError) as error:
        return await _ask(visit, errors_in(visit, error))
    return redirect(role_address(visit, kind, role.id, done="created"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_page(f"{PATH}/new", ask),
        dashboard_form(f"{PATH}/new", create),
    )
)
