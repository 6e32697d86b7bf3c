"""The applications that a team owns, and transferring one to another team."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.applications import GetApplication, ListApplications, TransferApplication
from common.contracts.organizations import GetOrganization, ListOrganizations, Organization
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.light_replies import ListedApplications, TeamChoice, TeamChoices
from gateway.dashboard.new_application import CREATORS
from gateway.dashboard.organization_tabs import TEAM, address_of, org_id_of, show_tab, tab_page
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/applications"
HERE: Final = f"{TEAM}{TAB}"


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET /dashboard/teams/{org_id}/applications"""
    org_id, cursor = org_id_of(visit), visit.fields.text_or_none("cursor")
    team, listed, teams = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id)),
        visit.read(
            ListApplications(owner_org_id=org_id, limit=50, cursor=cursor), ListedApplications
        ),
        visit.read(ListOrganizations(limit=100), TeamChoices),
    )
    return show_tab(
        visit,
        "team_applications.html",
        team,
        tab=TAB,
        errors=errors,
        applications=listed.applications,
        more=at(f"{address_of(visit)}{TAB}", cursor=listed.next) if listed.next else None,
        others=_others(visit, team, teams.organizations),
    )


def _others(visit: Visit, team: Organization, teams: list[TeamChoice]) -> list[TeamChoice]:
    """Returns the teams that the developer may give an application of this team to."""
    if not visit.may("apps:transfer") or team.role not in CREATORS:
        return []
    return [other for other in teams if other.id != team.id and other.role in CREATORS]


async def transfer(visit: Visit) -> GatewayResponse:
    """POST /dashboard/teams/{org_id}/applications/{application}/transfer"""
    if not visit.may("apps:transfer"):
        raise Forbidden
    slug = visit.parameters["application"]
    owned = await visit.call(GetApplication(slug=slug))
    if owned.owner_org_id != org_id_of(visit):
        raise NotFound
    try:
        new_owner = visit.fields.text("owner_org_id")
        await visit.call(TransferApplication(slug=slug, owner_org_id=new_owner))
    except (Problem, ValidationError) as error:
        if isinstance(error, NotFound):
            raise
        return await show(visit, errors_in(visit, error))
    return redirect(at(f"{address_of(visit)}{TAB}", done="transferred"))


routes = RouteSet(
    (
        dashboard_page(HERE, tab_page(show)),
        dashboard_form(f"{HERE}/{{application}}/transfer", transfer, page_path=HERE),
    )
)
