"""The developer's teams. They are organizations of the Dashboard, and own applications."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.organizations import (
    CreateOrganization,
    ListOrganizations,
    OrganizationExists,
)
from common.ids import new_id
from common.problems import Forbidden, Problem
from gateway.dashboard.organization_tabs import TEAMS, member_roles
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/teams"""
    return await _show(visit)


async def _show(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    cursor = visit.fields.text_or_none("cursor")
    listed = await visit.call(ListOrganizations(limit=50, cursor=cursor))
    is_deleted = visit.fields.text("done") == "deleted"
    return visit.show(
        "teams.html",
        part="teams_list.html",
        errors=errors,
        values=visit.fields if errors else {},
        teams=listed.organizations,
        roles=await member_roles(visit),
        more=at(TEAMS, cursor=listed.next) if listed.next else None,
        creates=visit.may("teams:write"),
        request_id=visit.fields.text_or_none("request_id") or new_id(),
        notice=visit.open().translate("Team deleted.") if is_deleted else None,
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST /dashboard/teams. Sent again, the form creates no second team."""
    if not visit.may("teams:write"):
        raise Forbidden
    try:
        new = CreateOrganization(
            name=visit.fields.text("name"), request_id=visit.fields.text_or_none("request_id")
        )
        team = await visit.call(new)
    except OrganizationExists as existing:
        return redirect(at(f"{TEAMS}/{existing.extra['org_id']}", done="exists"))
    except (Problem, ValidationError) as error:
        return await _show(visit, errors_in(visit, error))
    return redirect(at(f"{TEAMS}/{team.id}", done="team"))


routes = RouteSet((dashboard_page(TEAMS, show), dashboard_form(TEAMS, create)))
