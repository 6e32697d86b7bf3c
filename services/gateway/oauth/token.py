"""The token endpoint."""

from __future__ import annotations

from common.contracts.tokens import ExchangeToken
from gateway.auth.bound_tokens import dpop_proof
from gateway.http.authorization import basic_credentials
from gateway.http.forms import form
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.oauth.client_calls import call_as_client, present_client
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway


async def token(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/token (RFC 6749 section 3.2)"""
    call = ExchangeToken(
        params=await form(request), basic=basic_credentials(request), dpop=dpop_proof(request)
    )
    present_client(request, dict(call.params), call.basic)
    return await call_as_client(gateway, request, call)


routes = RouteSet((Route(HostKind.APPLICATION, "POST", "/oauth2/token", token, ErrorStyle.OAUTH),))
