"""The session of the browser, for pages and single-page applications that read it on every load."""

from __future__ import annotations

from common.contracts.sessions import NoSession
from gateway.auth.caller import signed_in_user
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, GatewayResponse
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway


async def get(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /api/auth/session: the live session of the cookie. 401 if there is none."""
    user = await signed_in_user(gateway, request)
    if user is None:
        raise NoSession
    return GatewayResponse(200, user.session_json, [JSON, NO_STORE])


routes = RouteSet(
    (Route(HostKind.APPLICATION, "GET", "/api/auth/session", get, ErrorStyle.PROBLEM),)
)
