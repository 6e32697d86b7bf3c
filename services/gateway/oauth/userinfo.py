"""The userinfo endpoint."""

from __future__ import annotations

import time
from typing import Final

import orjson

from common.contracts.oauth_errors import InvalidToken, OAuthError
from common.contracts.userinfo import GetUserinfo
from gateway.admission.admission import admission_of
from gateway.auth.bound_tokens import bound_token
from gateway.auth.cache import MAX_TOKEN, digest, is_cached, token_tags
from gateway.auth.caller import valid_token
from gateway.http.authorization import bearer_token, dpop_token
from gateway.http.forms import FORM, form
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, GatewayResponse, MissingToken
from gateway.oauth.client_calls import NOT_CACHED
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import CachedBody, Gateway

JWT: Final = (b"content-type", b"application/jwt")


async def userinfo(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET or POST /oauth2/userinfo (OpenID Connect Core 5.3.1)"""
    bound = dpop_token(request)
    if bound is not None:
        return await _of_bound_token(gateway, request, bound)
    presented_token = await _presented_token(request)
    admission = admission_of(request)
    if request.method == "POST":
        admission.present(presented_token.encode("latin-1", "replace"))
    ctx = request.context()
    key = (ctx.app_id, "userinfo", digest(presented_token))
    claims = gateway.responses.get(key)
    if claims is None:
        # The token is checked first. The same invalidation messages end the check and the claims, and
        # the claims are kept only while the check is: they cannot outlive a revocation in between.
        token = (await valid_token(gateway, request, presented_token)).token
        raw = await gateway.bus.raw(ctx, GetUserinfo(token=presented_token))
        claims = CachedBody(_claims(raw))
        if is_cached(gateway, ctx.app_id, presented_token):
            ttl = token.expires_at.timestamp() - time.time()
            gateway.responses.put(key, claims, token_tags(token), ttl=ttl)
    admission.accept(presented_token)
    return _response(claims.body)


async def _of_bound_token(
    gateway: Gateway, request: GatewayRequest, presented_token: str
) -> GatewayResponse:
    """Answers for a token that is bound to a key (RFC 9449 section 7)."""
    if request.method == "POST":
        admission_of(request).present(presented_token.encode("latin-1", "replace"))
        if request.media_type == FORM and "access_token" in dict(await form(request)):
            raise OAuthError("send the access token once")
    token = (await bound_token(gateway, request, presented_token)).token
    call = GetUserinfo(token=presented_token, proven=token.cnf)
    return _response(_claims(await gateway.bus.raw(request.context(), call)))


def _response(claims: bytes) -> GatewayResponse:
    kind = JSON if claims.startswith(b"{") else JWT
    return GatewayResponse(200, claims, [kind, *NOT_CACHED[1:]])


def _claims(raw: bytes) -> bytes:
    """Returns the claims as JSON or, if the client wants them signed, as a JWT alone."""
    if b'"jwt":' not in raw:
        return raw
    jwt = orjson.loads(raw).get("jwt")
    return jwt.encode() if isinstance(jwt, str) else raw


async def _presented_token(request: GatewayRequest) -> str:
    """Returns the access token from the header or from a form (RFC 6750 sections 2.1 and 2.2).

    Raises MissingToken if there is none, OAuthError if there are two.
    """
    header = bearer_token(request)
    token = header
    if request.method == "POST" and (header is None or request.media_type == FORM):
        fields = [value for name, value in await form(request) if name == "access_token"]
        if len(fields) + (header is not None) > 1:
            raise OAuthError("send the access token once")
        token = header or next(iter(fields), None)
    if not token:
        raise MissingToken
    if len(token) > MAX_TOKEN:
        raise InvalidToken("the access token is too long")
    return token


routes = RouteSet(
    tuple(
        Route(HostKind.APPLICATION, method, "/oauth2/userinfo", userinfo, ErrorStyle.BEARER)
        for method in ("GET", "POST")
    )
)
