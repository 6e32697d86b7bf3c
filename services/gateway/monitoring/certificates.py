"""For a TLS front: whether it may get a certificate for a host."""

from __future__ import annotations

from urllib.parse import parse_qs

from common.context import SYSTEM_CALLER
from common.contracts.domains import IsDomainAllowed
from common.contracts.tenants import UnknownHost
from common.ids import DASHBOARD
from gateway.http.request import GatewayRequest
from gateway.http.response import NO_STORE, GatewayResponse, json_response
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway


async def allowed(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /internal/domains/allowed?domain=…: 200 if a certificate may be got for this host, else 404"""
    name = parse_qs(request.query.decode("latin-1")).get("domain", [""])[0]
    if not 0 < len(name) <= 253:
        raise UnknownHost
    ctx = request.context(SYSTEM_CALLER, app_id=DASHBOARD)
    await gateway.bus.call(ctx, IsDomainAllowed(domain=name))
    return json_response(200, {"allowed": True}, NO_STORE)


routes = RouteSet(
    (Route(HostKind.INTERNAL, "GET", "/internal/domains/allowed", allowed, ErrorStyle.PROBLEM),)
)
