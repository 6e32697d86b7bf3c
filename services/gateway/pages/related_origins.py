"""The origins that may use the passkeys of this host (Web Authentication Level 3, section 5.11)."""

from __future__ import annotations

from typing import Final

from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, json_response
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway

PATH: Final = "/.well-known/webauthn"
CACHE: Final = (b"cache-control", b"public, max-age=300")
MOST: Final = 20
"""Origins in the list. Browsers read those with the first five different names."""


async def show(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /.well-known/webauthn: the hosts of this application and of no other. So passkeys of an
    earlier host stay valid on a custom domain."""
    hosts = [request.app.host, *request.app.hosts]
    origins = [f"{request.scheme}://{host}" for host in dict.fromkeys(hosts)]
    return json_response(200, {"origins": origins[:MOST]}, CACHE)


routes = RouteSet((Route(HostKind.APPLICATION, "GET", PATH, show, ErrorStyle.PROBLEM),))
