"""The members of an organization, and their roles."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.members import AddMember, ChangeMemberRole, ListMembers, RemoveMember
from common.contracts.organizations import GetOrganization
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
from gateway.dashboard.user_reference import user_id_of
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import Route, RouteSet

TAB: Final = "/members"
ROWS: Final = 20
"""Members of a page: each row has a choice of all roles."""


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET …/organizations/{org_id}/members"""
    org_id = org_id_of(visit)
    listing = ListMembers(org_id=org_id, limit=ROWS, cursor=visit.fields.text_or_none("cursor"))
    organization, members, roles = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id)), visit.call(listing), member_roles(visit)
    )
    return show_tab(
        visit,
        "organization_members.html",
        organization,
        tab=TAB,
        part="organization_members_list.html",
        errors=errors,
        members=members.members,
        roles=roles,
        more=at(f"{address_of(visit)}{TAB}", cursor=members.next) if members.next else None,
        finds=visit.may("users:read"),
    )


async def _add(visit: Visit) -> AddMember:
    user_id = await user_id_of(visit, visit.fields.text("user"))
    return AddMember(org_id=org_id_of(visit), user_id=user_id, role=visit.fields.text("role"))


def _change_role(visit: Visit) -> ChangeMemberRole:
    return ChangeMemberRole(
        org_id=org_id_of(visit),
        user_id=visit.parameters["user_id"],
        role=visit.fields.text("member_role"),
    )


def _remove(visit: Visit) -> RemoveMember:
    return RemoveMember(org_id=org_id_of(visit), user_id=visit.parameters["user_id"])


def _routes(path: str) -> tuple[Route, ...]:
    """Returns the routes below the path of an organization or a team."""
    here, member = f"{path}{TAB}", f"{path}{TAB}/{{user_id}}"
    change_role = tab_form(_change_role, page=show, tab=TAB, done="role")
    remove = tab_form(_remove, page=show, tab=TAB, done="removed")
    return (
        dashboard_page(here, tab_page(show)),
        dashboard_form(f"{member}/role", change_role, page_path=here),
        dashboard_form(f"{member}/remove", remove, page_path=here),
    )


add = tab_form(_add, page=show, tab=TAB, done="added")
routes = RouteSet((*_routes(PATH), *_routes(TEAM), dashboard_form(f"{PATH}{TAB}", add)))
