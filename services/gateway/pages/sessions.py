"""The sessions of the signed-in user, with their devices."""

from __future__ import annotations

import re
from typing import Final

from common.contracts.sessions import (
    CurrentSession,
    ListSessions,
    RevokeOtherSessions,
    RevokeSession,
    SessionNotFound,
)
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.account import opened
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

PHONE: Final = re.compile(r"\b(iPhone|iPad|Android|Mobile)\b")


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/sessions"""
    return await _list(open_page(gateway, request, user), fields, user)


async def _list(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    reply = await gateway.bus.call(request.context(user.caller), ListSessions())
    ordered = sorted(reply.sessions, key=lambda one: not one.is_current)
    return opened(
        page,
        "sessions.html",
        "/account/sessions",
        fields,
        sessions=ordered,
        on_phone=lambda one: bool(PHONE.search(one.user_agent or "")),
        errors=errors,
    )


async def revoke(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/sessions"""
    page = open_page(gateway, request, user)
    try:
        call = RevokeSession(session_id=fields.text("session_id"))
        await gateway.bus.call(request.context(user.caller), call)
    except (SessionNotFound, CurrentSession) as error:
        return await _list(page, fields, user, errors_of(page.language, error))
    return redirect(at("/account/sessions", done="revoked"))


async def revoke_others(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/sessions/others"""
    await gateway.bus.call(request.context(user.caller), RevokeOtherSessions())
    return redirect(at("/account/sessions", done="others"))


routes = RouteSet(
    (
        user_page_route("/account/sessions", show),
        user_form_route("/account/sessions", revoke),
        user_form_route("/account/sessions/others", revoke_others, page_path="/account/sessions"),
    )
)
