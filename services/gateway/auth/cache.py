"""Sessions, tokens and keys through the caches: each is looked up once, and forgotten when an
invalidation message names it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from common.context import SYSTEM_CALLER, Context
from common.contracts.api_keys import ApiKeyHolder, VerifyApiKey
from common.contracts.rights import GetRights, Rights
from common.contracts.sessions import CheckSession, Session
from common.contracts.tokens import AccessToken, CheckAccessToken
from common.problems import Problem, Unauthenticated
from gateway.admission.flood_limits import NO_TENANT
from gateway.auth import callers
from gateway.http.request import GatewayRequest
from gateway.state import Gateway, SignedInUser, ValidToken

MAX_TOKEN: Final = 20_000
"""Characters of an access token."""
SERVER_ERROR: Final = 500
"""From this status on, a problem is the deployment's, not the caller's."""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("latin-1", "replace")).hexdigest()


async def key_holder(gateway: Gateway, ctx: Context, key: str) -> ApiKeyHolder:
    """Returns the application of an API key. Raises Unauthenticated."""
    return await gateway.api_keys.fetch(
        (NO_TENANT, "api_key", digest(key)),
        lambda: gateway.bus.call(ctx, VerifyApiKey(key=key)),
        tags=lambda holder: [("api_key", holder.key_id), ("application", holder.app_id)],
        ttl=lambda holder: (
            None if holder.expires_at is None else holder.expires_at.timestamp() - time.time()
        ),
    )


async def access_token(gateway: Gateway, request: GatewayRequest, token: str) -> ValidToken:
    """Returns the token if it is valid on this host. Raises InvalidToken."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("the access token is too long")
    ctx = request.context()

    async def load() -> ValidToken:
        checked = await gateway.bus.call(ctx, CheckAccessToken(token=token))
        return ValidToken(
            checked, callers.of_token(request.app, checked, gateway.settings.operator_mfa)
        )

    return await gateway.tokens.fetch(
        (ctx.app_id, "bearer", digest(token)),
        load,
        tags=lambda valid: token_tags(valid.token),
        ttl=lambda valid: valid.token.expires_at.timestamp() - time.time(),
    )


def is_cached(gateway: Gateway, app_id: str, token: str) -> bool:
    """Returns whether the check of this access token is in the cache now."""
    return (app_id, "bearer", digest(token)) in gateway.tokens


def token_tags(token: AccessToken) -> Iterable[tuple[str, str]]:
    """Yields the nouns and ids whose invalidation ends what is cached about the token."""
    yield "token", token.jti
    if token.grant_id:
        yield "token", token.grant_id
    yield "client", token.client_id
    if token.session_id:
        yield "session", token.session_id
    if token.user_id:
        yield "user", token.user_id
        yield "rights", token.user_id


async def session_by_token(gateway: Gateway, request: GatewayRequest, token: str) -> SignedInUser:
    """Returns the user with the live session of a cookie's value, and their rights. Raises
    NoSession."""
    ctx = request.context()

    async def load() -> SignedInUser:
        session = await gateway.bus.call(ctx, CheckSession(token=token))
        rights_of = GetRights(user_id=session.user_id, org_id=session.active_org_id)
        rights = await gateway.bus.call(replace(ctx, caller=SYSTEM_CALLER), rights_of)
        return _signed_in(gateway, request, session, rights)

    return await gateway.sessions.fetch(
        (ctx.app_id, "session", digest(token)),
        load,
        tags=_session_tags,
        ttl=lambda user: _seconds_left(user.session),
    )


async def session_without_use(
    gateway: Gateway, request: GatewayRequest, token: str
) -> SignedInUser:
    """Returns what `session_by_token` returns, as it is now: not from the cache. The session counts as
    idle meanwhile, so a page that is left open does not keep it alive. Raises NoSession."""
    ctx = request.context()
    session = await gateway.bus.call(ctx, CheckSession(token=token, is_use=False))
    rights_of = GetRights(user_id=session.user_id, org_id=session.active_org_id)
    rights = await gateway.bus.call(replace(ctx, caller=SYSTEM_CALLER), rights_of)
    return _signed_in(gateway, request, session, rights)


def _session_tags(user: SignedInUser) -> list[tuple[str, str]]:
    """Returns the nouns and ids whose invalidation ends what is cached about the session. An
    impersonation ends with the actor's session and rights. Those of a developer are of another
    application: they count when the entry expires."""
    session, actor = user.session, user.session.actor
    tags = [("session", session.id), ("user", session.user_id), ("rights", session.user_id)]
    if actor is not None:
        tags += [("session", actor.session_id), ("user", actor.id), ("rights", actor.id)]
    return tags


async def session_even_without_rights(
    gateway: Gateway, request: GatewayRequest, token: str
) -> SignedInUser:
    """Returns what `session_by_token` returns. If rbac is unreachable, the user has no rights. Raises
    NoSession."""
    try:
        return await session_by_token(gateway, request, token)
    except Problem as problem:
        if problem.status < SERVER_ERROR:
            raise
    session = await gateway.bus.call(request.context(), CheckSession(token=token))
    return _signed_in(gateway, request, session, Rights(permissions=[], teams=[]))


def session_has_ended(gateway: Gateway, request: GatewayRequest, token: str) -> bool:
    """Returns whether a cookie's value was rejected a moment ago."""
    return bool(gateway.ended_sessions.get((request.app.app_id, "ended", token)))


def remember_ended_session(gateway: Gateway, request: GatewayRequest, token: str) -> None:
    gateway.ended_sessions.put((request.app.app_id, "ended", token), True)


def _signed_in(
    gateway: Gateway, request: GatewayRequest, session: Session, rights: Rights
) -> SignedInUser:
    caller = callers.of_session(request.app, session, rights, gateway.settings.operator_mfa)
    return SignedInUser(session, caller, session.model_dump_json().encode())


def _seconds_left(session: Session) -> float:
    ends = session.expires_at
    if session.idle_expires_at is not None:
        ends = min(ends, session.idle_expires_at)
    return ends.timestamp() - time.time()
