"""The activity of a user: the events of the audit log that they caused or that are about them."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.audit_log import ListUserAudit
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.user_frame import USER, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.routing import RouteSet

TAB: Final = "/activity"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/activity: the newest first"""
    listing = ListUserAudit(
        user_id=visit.parameters["user_id"], cursor=visit.fields.text_or_none("cursor")
    )
    user, listed = await asyncio.gather(visit.call(get_user(visit)), visit.call(listing))
    return show_user(
        visit,
        "user_activity.html",
        user,
        TAB,
        part="user_activity_list.html",
        events=listed.audit_logs,
        more=at(user_path(visit) + TAB, cursor=listed.next) if listed.next else None,
        api=curl(visit.managed.tenant, "GET", f"/users/{user.id}/audit"),
    )


routes = RouteSet((dashboard_page(USER + TAB, show),))
