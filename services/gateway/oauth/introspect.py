"""The introspection endpoint."""

from __future__ import annotations

import time

from common.contracts.tokens import IntrospectToken
from common.problems import Problem
from gateway.admission.admission import admission_of
from gateway.auth.cache import MAX_TOKEN, access_token, digest, is_cached, token_tags
from gateway.http.authorization import basic_credentials
from gateway.http.forms import form
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.oauth.client_calls import (
    NOT_CACHED,
    call_as_client,
    client_of,
    present_client,
)
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import CachedBody, Gateway


async def introspect(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/introspect (RFC 7662). The reply about an access token is cached as long as the
    check of that token is, and the same invalidation messages end both."""
    params, header = await form(request), basic_credentials(request)
    call, by_name = IntrospectToken(params=params, basic=header), dict(params)
    client, presented_token = client_of(by_name, header), by_name.get("token", "")
    present_client(request, by_name, header)
    if client is None or not 0 < len(presented_token) <= MAX_TOKEN:
        return await call_as_client(gateway, request, call)
    app_id = request.app.app_id
    key = (app_id, "introspect", digest(f"{header}\n{params}"))
    cached = gateway.responses.get(key)
    if cached is not None:
        admission_of(request).accept()
        return GatewayResponse(200, cached.body, NOT_CACHED)
    try:
        token = (await access_token(gateway, request, presented_token)).token
    except Problem:  # no access token of this host: oidc knows what it is
        return await call_as_client(gateway, request, call)
    response = await call_as_client(gateway, request, call)
    if response.status == 200 and is_cached(gateway, app_id, presented_token):
        tags = [*token_tags(token), ("client", client)]
        ttl = token.expires_at.timestamp() - time.time()
        gateway.responses.put(key, CachedBody(response.body), tags, ttl=ttl)
    return response


routes = RouteSet(
    (Route(HostKind.APPLICATION, "POST", "/oauth2/introspect", introspect, ErrorStyle.OAUTH),)
)
