"""OAuth endpoints that machines call: token, userinfo, introspection, revocation.

They pass parameters on as they came; the oidc service alone knows the protocol.
"""

from __future__ import annotations

import time
from base64 import b64decode
from urllib.parse import unquote_plus

import orjson

from common.audit_chain import unb64
from common.contracts.oauth_errors import (
    AccessDenied,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    OAuthError,
    UnauthorizedClient,
)
from common.contracts.tokens import ExchangeToken, IntrospectToken, RevokeToken
from common.contracts.userinfo import GetUserinfo
from common.problems import Problem
from gateway.app import Route
from gateway.auth.caller import MAX_TOKEN, access_token, bearer_of, by_token, digest, token_tags
from gateway.http import response as answers
from gateway.http.forms import basic, form
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, Answer
from gateway.state import Document

JWT = (b"content-type", b"application/jwt")
FRESH = [JSON, NO_STORE, (b"pragma", b"no-cache")]


AUTHENTICATED = (AccessDenied, InvalidGrant, InvalidScope, InvalidTarget, UnauthorizedClient)
"""What a client with a secret is told only when that holds."""


class NoToken(InvalidToken):
    """RFC 6750 section 3.1: without a token the challenge carries no error code."""

    code, title = "missing_token", "Send an access token in the Authorization header."


async def token(visit: GatewayRequest) -> Answer:
    """POST /oauth2/token (RFC 6749 section 3.2)"""
    request = ExchangeToken(params=await form(visit), basic=basic(visit))
    _claim(visit, dict(request.params), request.basic)
    return await _as_client(visit, request)


async def introspect(visit: GatewayRequest) -> Answer:
    """POST /oauth2/introspect (RFC 7662). What an API asks over and over about one token is
    remembered while the check of that token is, under the same drop messages."""
    params, header = await form(visit), basic(visit)
    request = IntrospectToken(params=params, basic=header)
    given = dict(params)
    asker, presented = _asker(given, header), given.get("token", "")
    _claim(visit, given, header)
    if asker is None or not 0 < len(presented) <= MAX_TOKEN:
        return await _as_client(visit, request)
    gateway, ctx = visit.gateway, visit.context()
    key = (ctx.app_id, "introspect", digest(f"{header}\n{params}"))
    known = gateway.answers.get(key)
    if known is not None:
        gateway.limits.accept(visit)
        return Answer(200, known.body, FRESH)
    try:
        checked = (await access_token(visit, presented)).token
    except Problem:  # not an access token for us: oidc knows what it is
        return await _as_client(visit, request)
    answer = await _as_client(visit, request)
    if answer.status == 200 and (ctx.app_id, "bearer", digest(presented)) in gateway.bearers:
        left = checked.expires_at.timestamp() - time.time()
        tags = [*token_tags(checked), ("client", asker)]
        gateway.answers.put(key, Document(answer.body), tags, ttl=left)
    return answer


def _asker(params: dict[str, str], header: str | None) -> str | None:
    """The client that shows its secret; None if it proves itself afresh each time."""
    if "client_assertion" in params:
        return None
    if header is None:
        return params.get("client_id")
    try:
        return unquote_plus(b64decode(header, validate=True).decode().partition(":")[0])
    except ValueError:
        return None


async def revoke(visit: GatewayRequest) -> Answer:
    """POST /oauth2/revoke (RFC 7009): 200 with an empty object, for unknown tokens too"""
    request = RevokeToken(params=await form(visit), basic=basic(visit))
    _claim(visit, dict(request.params), request.basic)
    return await _as_client(visit, request)


def _claim(visit: GatewayRequest, params: dict[str, str], header: str | None) -> None:
    """The client that the request names, before it costs anything. Raises RateLimited."""
    visit.gateway.limits.present_client(
        visit, _secret(params, header), lambda: _asker(params, header) or _subject(params)
    )


def _secret(params: dict[str, str], header: str | None) -> tuple[str | None, ...] | None:
    """What a client shows each time alike, and what is slow to compare."""
    secret = params.get("client_secret")
    if "client_assertion" in params or (header is None and secret is None):
        return None
    return header, params.get("client_id"), secret


def _subject(params: dict[str, str]) -> str | None:
    """Whom an assertion is said to come from."""
    try:
        named = orjson.loads(unb64(params["client_assertion"].split(".")[1]))["sub"]
    except (ValueError, LookupError, TypeError):
        return params.get("client_id")
    return named if isinstance(named, str) else None


async def _as_client(
    visit: GatewayRequest, request: ExchangeToken | IntrospectToken | RevokeToken
) -> Answer:
    limits = visit.gateway.limits
    try:
        body = await visit.gateway.bus.raw(visit.context(), request)
    except OAuthError as error:
        secret = _secret(dict(request.params), request.basic)
        if secret is not None and isinstance(error, InvalidClient):
            limits.reject(visit, secret)
        elif secret is not None and isinstance(error, AUTHENTICATED):
            limits.accept(visit)
        return answers.oauth(error)
    limits.accept(visit)
    return Answer(200, body, FRESH)


async def userinfo(visit: GatewayRequest) -> Answer:
    """GET or POST /oauth2/userinfo (OpenID Connect Core 5.3.1)"""
    presented = await _presented(visit)
    if visit.method == "POST":
        visit.gateway.limits.present(visit, presented.encode("latin-1", "replace"))
    gateway, ctx = visit.gateway, visit.context()
    key = (ctx.app_id, "userinfo", digest(presented))
    known = gateway.answers.get(key)
    if known is None:
        # The token is checked first: the answer is filed under the same drop messages, and kept
        # only while the check itself is, so that it cannot outlive a revocation in between.
        checked = (await by_token(visit, presented)).token
        known = Document(_userinfo(await gateway.bus.raw(ctx, GetUserinfo(token=presented))))
        if (ctx.app_id, "bearer", digest(presented)) in gateway.bearers:
            left = checked.expires_at.timestamp() - time.time()
            gateway.answers.put(key, known, token_tags(checked), ttl=left)
    gateway.limits.accept(visit, presented)
    kind = JSON if known.body.startswith(b"{") else JWT
    return Answer(200, known.body, [kind, *FRESH[1:]])


def _userinfo(raw: bytes) -> bytes:
    """The claims as JSON or, where the client wants them signed, the JWT alone."""
    if b'"jwt":' not in raw:
        return raw
    claims = orjson.loads(raw)
    jwt = claims.get("jwt")
    return jwt.encode() if isinstance(jwt, str) else raw


async def _presented(visit: GatewayRequest) -> str:
    """The access token, from the header or a form body (RFC 6750 sections 2.1 and 2.2).

    Raises NoToken where there is none, OAuthError where there are two.
    """
    header = bearer_of(visit)
    found = header
    if visit.method == "POST" and (header is None or _is_form(visit)):
        fields = [value for name, value in await form(visit) if name == "access_token"]
        if len(fields) + (header is not None) > 1:
            raise OAuthError("send the access token once")
        found = header or next(iter(fields), None)
    if not found:
        raise NoToken
    if len(found) > MAX_TOKEN:
        raise InvalidToken("the access token is too long")
    return found


def _is_form(visit: GatewayRequest) -> bool:
    kind = (visit.header(b"content-type") or "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _bearer_refusal(error: Problem, _: GatewayRequest) -> Answer:
    if isinstance(error, NoToken):
        body = {"error": "invalid_token", "error_description": error.detail}
        return answers.json(401, body, NO_STORE, (b"www-authenticate", b"Bearer"))
    return answers.bearer_error(error)


def _oauth_refusal(error: Problem, _: GatewayRequest) -> Answer:
    return answers.oauth(error)


HOT = {
    ("POST", "/oauth2/token"): Route(token, _oauth_refusal),
    ("GET", "/oauth2/userinfo"): Route(userinfo, _bearer_refusal),
    ("POST", "/oauth2/userinfo"): Route(userinfo, _bearer_refusal),
    ("POST", "/oauth2/introspect"): Route(introspect, _oauth_refusal),
    ("POST", "/oauth2/revoke"): Route(revoke, _oauth_refusal),
}
