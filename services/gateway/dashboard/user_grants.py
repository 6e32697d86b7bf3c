"""The grants of a user: which clients they gave access, and taking that back."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.consents import ListUserGrants, RevokeUserGrant
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_frame import USER, act, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/grants"
PATH: Final = USER + TAB


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/grants"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    user, listed = await asyncio.gather(
        visit.call(get_user(visit)),
        visit.call(ListUserGrants(user_id=visit.parameters["user_id"])),
    )
    return show_user(visit, "user_grants.html", user, TAB, grants=listed.grants, errors=errors)


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/grants/revoke: the client is named in the form"""
    call = RevokeUserGrant(
        user_id=visit.parameters["user_id"], client_id=visit.fields.text("client_id")
    )
    return await act(visit, call, _show, path=TAB, done="grant_revoked")


routes = RouteSet(
    (dashboard_page(PATH, show), dashboard_form(f"{PATH}/revoke", revoke, page_path=PATH))
)
