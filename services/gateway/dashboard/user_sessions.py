"""The sessions of a user: where they are signed in, and ending that."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from common.contracts.sessions import ListUserSessions, RevokeUserSession, RevokeUserSessions
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_frame import USER, act, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/sessions"
PATH: Final = USER + TAB
ROWS: Final = 25
"""Sessions of a page."""
PHONE: Final = re.compile(r"\b(iPhone|iPad|Android|Mobile)\b")


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/sessions: the latest first"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    listing = ListUserSessions(
        user_id=visit.parameters["user_id"],
        limit=ROWS,
        cursor=visit.fields.text_or_none("cursor"),
    )
    user, listed = await asyncio.gather(visit.call(get_user(visit)), visit.call(listing))
    path = user_path(visit) + TAB
    return show_user(
        visit,
        "user_sessions.html",
        user,
        TAB,
        part="user_sessions_list.html",
        sessions=listed.sessions,
        more=at(path, cursor=listed.next) if listed.next else None,
        on_phone=lambda session: bool(PHONE.search(session.user_agent or "")),
        errors=errors,
    )


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/sessions/{session_id}/revoke"""
    call = RevokeUserSession(
        user_id=visit.parameters["user_id"], session_id=visit.parameters["session_id"]
    )
    return await act(visit, call, _show, path=TAB, done="revoked")


async def revoke_all(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/sessions/revoke"""
    call = RevokeUserSessions(user_id=visit.parameters["user_id"])
    return await act(visit, call, _show, path=TAB, done="all_revoked")


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(f"{PATH}/revoke", revoke_all, page_path=PATH),
        dashboard_form(f"{PATH}/{{session_id}}/revoke", revoke, page_path=PATH),
    )
)
