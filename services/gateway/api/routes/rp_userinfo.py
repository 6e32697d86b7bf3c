"""The signed-in user in a few fields, for pages that show who is signed in."""

from __future__ import annotations

from common.contracts.assignments import ListMyRoles
from common.contracts.sessions import NoSession
from gateway.auth.caller import signed_in_user
from gateway.http.request import GatewayRequest
from gateway.http.response import NO_STORE, GatewayResponse, json_response
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway


async def get(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /rp/userinfo: the user of the cookie, with the names of their roles. 401 if there is none."""
    user = await signed_in_user(gateway, request)
    if user is None:
        raise NoSession
    assigned = await gateway.bus.call(request.context(user.caller), ListMyRoles())
    session = user.session
    facts = {
        "id": session.user_id,
        "email": session.email,
        "name": session.name,
        "picture": session.picture,
        "roles": [role.name for role in assigned.roles],
    }
    return json_response(200, facts, NO_STORE)


routes = RouteSet((Route(HostKind.APPLICATION, "GET", "/rp/userinfo", get, ErrorStyle.PROBLEM),))
