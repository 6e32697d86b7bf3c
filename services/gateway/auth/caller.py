"""Credentials to caller: who asks, on this host.

Cookie, bearer token or API key. Whatever does not hold is a 401 where a bearer or a key was shown,
and nobody where a cookie was: a stale cookie must not keep anyone from signing in.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from common.context import ANONYMOUS, EVERYTHING, SYSTEM_CALLER, Caller, Context
from common.contracts.api_keys import ApiKeyHolder, VerifyApiKey
from common.contracts.oauth_errors import InvalidToken
from common.contracts.rights import GetRights, Rights
from common.contracts.sessions import CheckSession, NoSession, Session
from common.contracts.tenants import GetTenant, Tenant
from common.contracts.tokens import AccessToken, CheckAccessToken
from common.ids import DASHBOARD
from common.problems import NotFound, Problem, Unauthenticated
from gateway.admission.flood_limits import NO_TENANT
from gateway.http.request import WITHIN, GatewayRequest
from gateway.state import Bearer, Gateway, Signed

MAX_TOKEN = 20_000
UNANSWERED = 500
"""From this status on a problem is ours, not the caller's."""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("latin-1", "replace")).hexdigest()


def bearer_of(visit: GatewayRequest) -> str | None:
    """RFC 6750 section 2.1. Never from the query (section 2.3 is not offered)."""
    header = visit.header(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def caller_of(visit: GatewayRequest) -> Caller:
    """The caller of this request in the application of this host; found once.

    Raises Unauthenticated for a bearer token or key that does not hold, NotFound for a key of
    another application.
    """
    if visit.caller is None:
        visit.caller = await _find(visit)
        visit.facts["caller"] = visit.caller.kind
    return visit.caller


async def _find(visit: GatewayRequest) -> Caller:
    token = bearer_of(visit)
    if token is not None:
        if token.startswith(("sk_live_", "pk_live_")):
            return await _by_key(visit, token)
        return (await by_token(visit, token)).caller
    if (visit.header(b"authorization") or "").lower().startswith("dpop "):
        # RFC 9449 section 7.1: without its proof this scheme opens nothing, and we know no proofs.
        raise Unauthenticated("send the credential as `Authorization: Bearer …`")
    signed = await session_of(visit)
    return signed.caller if signed is not None else ANONYMOUS


async def key_holder(gateway: Gateway, ctx: Context, key: str) -> ApiKeyHolder:
    """Which application a key belongs to. Raises Unauthenticated."""
    return await gateway.api_keys.fetch(
        (NO_TENANT, "api_key", digest(key)),
        lambda: gateway.bus.call(ctx, VerifyApiKey(key=key)),
        tags=lambda held: [("api_key", held.key_id), ("application", held.app_id)],
        ttl=lambda held: None if held.expires_at is None else _left(held.expires_at),
    )


def _left(ends: datetime) -> float:
    """Seconds."""
    return ends.timestamp() - time.time()


async def named_by_key(visit: GatewayRequest) -> Tenant:
    """On `api.<domain>` the API key names the application. Raises Unauthenticated."""
    key, gateway, limits = bearer_of(visit), visit.gateway, visit.gateway.limits
    if key is None or not key.startswith(("sk_live_", "pk_live_")):
        raise Unauthenticated("on this host, send an API key as the bearer token")
    ctx = Context(DASHBOARD, deadline=time.time() + WITHIN, trace=visit.trace)
    limits.before_lookup(visit, key)
    try:
        holder = await key_holder(gateway, ctx, key)
    except Unauthenticated:
        limits.after_lookup(visit, key, found=False)
        raise
    limits.after_lookup(visit, key, found=True)
    system_ctx = replace(ctx, app_id=holder.app_id, caller=SYSTEM_CALLER)
    return await gateway.tenants.fetch(
        (holder.app_id, "tenant"),
        lambda: gateway.bus.call(system_ctx, GetTenant()),
        tags=lambda tenant: [("application", tenant.app_id)],
    )


async def _by_key(visit: GatewayRequest, key: str) -> Caller:
    limits = visit.gateway.limits
    try:
        holder = await key_holder(visit.gateway, visit.context(), key)
    except Unauthenticated:
        limits.reject(visit, key)
        raise
    if holder.app_id != visit.app.app_id:
        raise NotFound
    if holder.key_type == "publishable":
        return ANONYMOUS  # it identifies the application and grants nothing
    limits.accept(visit, key)
    return Caller(kind="secret_key", id=holder.key_id, permissions=EVERYTHING)


async def by_token(visit: GatewayRequest, token: str) -> Bearer:
    """Who came with an access token. Raises InvalidToken."""
    try:
        found = await access_token(visit, token)
    except InvalidToken:
        visit.gateway.limits.reject(visit, token)
        raise
    visit.gateway.limits.accept(visit, token)
    return found


async def access_token(visit: GatewayRequest, token: str) -> Bearer:
    """A bearer token that holds here. Raises InvalidToken."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("the access token is too long")
    gateway, ctx = visit.gateway, visit.context()

    async def load() -> Bearer:
        checked = await gateway.bus.call(ctx, CheckAccessToken(token=token))
        return Bearer(checked, _speaker(checked))

    return await gateway.bearers.fetch(
        (ctx.app_id, "bearer", digest(token)),
        load,
        tags=lambda found: token_tags(found.token),
        ttl=lambda found: found.token.expires_at.timestamp() - time.time(),
    )


def token_tags(token: AccessToken) -> Iterable[tuple[str, str]]:
    yield "token", token.jti
    if token.grant_id:
        yield "token", token.grant_id
    yield "client", token.client_id
    if token.session_id:
        yield "session", token.session_id
    if token.user_id:
        yield "user", token.user_id
        yield "rights", token.user_id


def _speaker(token: AccessToken) -> Caller:
    if token.user_id is None:
        return Caller("client", token.client_id, frozenset(token.permissions))
    return Caller(
        kind="user",
        id=token.user_id,
        permissions=frozenset(token.permissions),
        session_id=token.session_id,
        org_id=token.org_id,
        delegated="account" not in token.scopes,
    )


async def session_of(visit: GatewayRequest) -> Signed | None:
    """The browser's session on this host, or None."""
    token = visit.cookies.get(visit.gateway.settings.session_cookie)
    if not token or len(token) > 200:
        return None
    limits, ended = visit.gateway.limits, visit.gateway.ended
    if ended.get(visit.ended(token)):
        return None
    try:
        found = await session_by_token(visit, token)
    except NoSession:
        limits.reject(visit, token)
        ended.put(visit.ended(token), True)
        return None
    limits.accept(visit, token)
    return found


async def session_without_rights(visit: GatewayRequest) -> Signed | None:
    """The browser's session where rights do not matter: rbac may be away, and the caller then has
    none."""
    try:
        return await session_of(visit)
    except Problem as problem:
        if problem.status < UNANSWERED:
            raise
    return await _bare_session(visit, visit.cookies[visit.gateway.settings.session_cookie])


async def bare_by_token(visit: GatewayRequest, token: str) -> Signed:
    """As `session_by_token`, but rbac may be away. Raises NoSession."""
    try:
        return await session_by_token(visit, token)
    except Problem as problem:
        if problem.status < UNANSWERED:
            raise
    found = await _bare_session(visit, token)
    if found is None:
        raise NoSession
    return found


async def _bare_session(visit: GatewayRequest, token: str) -> Signed | None:
    try:
        session = await visit.gateway.bus.call(visit.context(), CheckSession(token=token))
    except NoSession:
        return None
    caller = _person(session, Rights(permissions=[], teams=[]))
    return Signed(session, caller, session.model_dump_json().encode())


async def session_by_token(visit: GatewayRequest, token: str) -> Signed:
    """The live session behind a cookie's value, with its rights. Raises NoSession."""
    gateway, ctx = visit.gateway, visit.context()

    async def load() -> Signed:
        session = await gateway.bus.call(ctx, CheckSession(token=token))
        request = GetRights(user_id=session.user_id, org_id=session.active_org_id)
        rights = await gateway.bus.call(replace(ctx, caller=SYSTEM_CALLER), request)
        return Signed(session, _person(session, rights), session.model_dump_json().encode())

    return await gateway.sessions.fetch(
        (ctx.app_id, "session", digest(token)),
        load,
        tags=lambda found: [
            ("session", found.session.id),
            ("user", found.session.user_id),
            ("rights", found.session.user_id),
        ],
        ttl=lambda found: _life(found.session),
    )


def _life(session: Session) -> float:
    ends = session.expires_at
    if session.idle_expires_at is not None:
        ends = min(ends, session.idle_expires_at)
    return ends.timestamp() - time.time()


def _person(session: Session, rights: Rights) -> Caller:
    return Caller(
        kind="user",
        id=session.user_id,
        permissions=frozenset(rights.permissions),
        teams=frozenset(rights.teams),
        session_id=session.id,
        org_id=session.active_org_id,
    )
