"""The teams of all developers, for operators. Teams are organizations of the Dashboard."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.members import ListMembers
from common.contracts.organizations import GetOrganization, ListOrganizations
from common.contracts.platform_applications import ListPlatformApplications
from common.contracts.platform_settings import GetPlatformSettings
from common.operator_rules import OPERATES
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.organization_tabs import member_roles
from gateway.dashboard.platform_pages import platform_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.routing import RouteSet

PATH: Final = "/teams"
READS: Final = "organizations:read"
LONGEST_SEARCH: Final = 100
"""Characters."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/teams"""
    search = visit.fields.text("q")[:LONGEST_SEARCH] or None
    query = ListOrganizations(all=True, search=search, cursor=visit.fields.text_or_none("cursor"))
    path = f"{visit.home}{PATH}"
    listed = await visit.call(query)
    return visit.show(
        "platform_teams.html",
        part="platform_teams_list.html",
        teams=listed.organizations,
        search=search,
        more=at(path, q=search, cursor=listed.next) if listed.next else None,
        first_page=query.cursor is None,
        api=curl_in_dashboard(
            visit.request.app, "GET", at("/organizations", all="true", search=search)
        ),
    )


async def show_one(visit: Visit) -> GatewayResponse:
    """GET …/teams/{org_id}: the first members and applications. The lists go on at the team's own pages
    and in the API."""
    id = visit.parameters["org_id"]
    team, members, applications, limit = await asyncio.gather(
        visit.call(GetOrganization(org_id=id)),
        visit.call(ListMembers(org_id=id, limit=100)),
        visit.call(ListPlatformApplications(owner_org_id=id, limit=100)),
        _limit(visit),
    )
    return visit.show(
        "platform_team.html",
        team=team,
        members=members.members,
        roles=await member_roles(visit),
        has_more_members=members.next is not None,
        applications=applications.applications,
        has_more_applications=applications.next is not None,
        limit=limit,
        api=curl_in_dashboard(visit.request.app, "GET", f"/organizations/{team.id}"),
    )


async def _limit(visit: Visit) -> int | None:
    """Returns how many applications a team may have, or None without a limit, or for somebody who may
    not see it."""
    if not visit.may(OPERATES):
        return None
    return (await visit.call(GetPlatformSettings())).applications_per_team


routes = RouteSet(
    (
        platform_page(PATH, show, needs=READS),
        platform_page(f"{PATH}/{{org_id}}", show_one, needs=READS),
    )
)
