"""The organizations of a user, with their role in each."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.organizations import ListUserOrganizations
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.user_frame import USER, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.routing import RouteSet

TAB: Final = "/organizations"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/organizations"""
    listing = ListUserOrganizations(
        user_id=visit.parameters["user_id"], cursor=visit.fields.text_or_none("cursor")
    )
    user, listed = await asyncio.gather(visit.call(get_user(visit)), visit.call(listing))
    return show_user(
        visit,
        "user_organizations.html",
        user,
        TAB,
        part="user_organizations_list.html",
        organizations=listed.organizations,
        more=at(user_path(visit) + TAB, cursor=listed.next) if listed.next else None,
    )


routes = RouteSet((dashboard_page(USER + TAB, show),))
