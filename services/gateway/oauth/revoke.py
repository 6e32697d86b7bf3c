"""The revocation endpoint."""

from __future__ import annotations

from common.contracts.tokens import RevokeToken
from gateway.http.authorization import basic_credentials
from gateway.http.forms import form
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.oauth.client_calls import call_as_client, present_client
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway


async def revoke(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/revoke (RFC 7009): 200 with an empty object, for unknown tokens too"""
    call = RevokeToken(params=await form(request), basic=basic_credentials(request))
    present_client(request, dict(call.params), call.basic)
    return await call_as_client(gateway, request, call)


routes = RouteSet(
    (Route(HostKind.APPLICATION, "POST", "/oauth2/revoke", revoke, ErrorStyle.OAUTH),)
)
