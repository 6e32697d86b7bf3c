"""The endpoint for pushed authorization requests."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from common.contracts.oauth_errors import PushedRequestTooLarge
from common.contracts.pushed_requests import PushAuthorization
from common.ip_addresses import client_network
from gateway.admission.admission import admission_of
from gateway.admission.flood_limits import PENDING_AUTHORIZATION, PUSHED_REQUEST
from gateway.admission.token_bucket import Limit
from gateway.auth.bound_tokens import dpop_proof
from gateway.http.authorization import basic_credentials
from gateway.http.forms import form
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.oauth.client_calls import call_as_client, client_of, present_client, subject_of
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway

MAX_PARAMETERS: Final = 32_768
"""Bytes of parameters: they are stored."""
MAX_NAME: Final = 200
"""Characters of the name of a client."""
CREDENTIALS: Final = frozenset({"client_secret", "client_assertion"})


async def push(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/par (RFC 9126 section 2.1)"""
    params, header = await form(request), basic_credentials(request)
    if len(urlencode(params)) > MAX_PARAMETERS:
        raise PushedRequestTooLarge(f"a pushed request can have at most {MAX_PARAMETERS} bytes")
    by_name = dict(params)
    present_client(request, by_name, header)
    limit, bucket = _limit(request, by_name, header)
    admission, status = admission_of(request), 0
    admission.charge(limit, bucket)
    try:
        call = PushAuthorization(params=params, basic=header, dpop=dpop_proof(request))
        response = await call_as_client(gateway, request, call, status=201)
        status = response.status
    finally:
        if status != 201:  # nothing is stored
            admission.refund(limit, bucket)
    return response


def _limit(
    request: GatewayRequest, params: dict[str, str], header: str | None
) -> tuple[Limit, str]:
    """Returns the limit and its bucket: that of a client, or of the network of a public client.

    Anybody may send the name of a public client.
    """
    if header is None and not CREDENTIALS & params.keys():
        return PENDING_AUTHORIZATION, client_network(request.ip)
    name = client_of(params, header) or subject_of(params) or ""
    return PUSHED_REQUEST, f"client {name[:MAX_NAME]}"


routes = RouteSet((Route(HostKind.APPLICATION, "POST", "/oauth2/par", push, ErrorStyle.OAUTH),))
