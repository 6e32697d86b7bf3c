"""The caller of a request: the user, client or key behind its cookie, token or key.

An invalid token or key answers 401. An invalid cookie makes the caller anonymous, so that a browser
with the cookie of an ended session can still sign in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from common.context import ANONYMOUS, EVERYTHING, SYSTEM_CALLER, Caller, Context
from common.contracts.oauth_errors import InvalidToken
from common.contracts.sessions import NoSession
from common.contracts.tenants import GetTenant, Tenant
from common.ids import DASHBOARD
from common.problems import NotFound, Unauthenticated
from gateway.admission.admission import admission_of
from gateway.auth.bound_tokens import bound_token
from gateway.auth.cache import (
    access_token,
    key_holder,
    remember_ended_session,
    session_by_token,
    session_even_without_rights,
    session_has_ended,
)
from gateway.http.authorization import bearer_token, dpop_token
from gateway.http.request import TIME_LIMIT, GatewayRequest
from gateway.state import Gateway, SignedInUser, ValidToken

PUBLISHABLE: Final = "pk_live_"
API_KEY: Final = ("sk_live_", PUBLISHABLE)
MAX_SESSION_TOKEN: Final = 200
"""Characters. No session cookie of ours is longer."""
FindSession = Callable[[Gateway, GatewayRequest, str], Awaitable[SignedInUser]]


async def caller_of(gateway: Gateway, request: GatewayRequest) -> Caller:
    """Returns the caller in the application of this host.

    Raises Unauthenticated for a bearer token or key that is not valid, NotFound for a key of another
    application.
    """
    caller = await _authenticate(gateway, request)
    request.state.log_facts["caller"] = caller.kind
    return caller


async def _authenticate(gateway: Gateway, request: GatewayRequest) -> Caller:
    token = bearer_token(request)
    if token is not None:
        if token.startswith(API_KEY):
            return await _caller_of_key(gateway, request, token)
        return (await valid_token(gateway, request, token)).caller
    token = dpop_token(request)
    if token is not None:
        return (await bound_token(gateway, request, token)).caller
    user = await signed_in_user(gateway, request)
    return user.caller if user is not None else ANONYMOUS


async def tenant_of_key(gateway: Gateway, request: GatewayRequest) -> Tenant:
    """Returns the application that the API key names, on `api.<domain>`. Raises Unauthenticated."""
    key, admission = bearer_token(request), admission_of(request)
    if key is None or not key.startswith(API_KEY):
        raise Unauthenticated("on this host, send an API key as the bearer token")
    ctx = Context(DASHBOARD, deadline=time.monotonic() + TIME_LIMIT, trace=request.trace)
    admission.before_lookup(key)
    try:
        holder = await key_holder(gateway, ctx, key)
    except Unauthenticated:
        admission.after_lookup(key, exists=False)
        raise
    admission.after_lookup(key, exists=True)
    system_ctx = replace(ctx, app_id=holder.app_id, caller=SYSTEM_CALLER)
    return await gateway.tenants.fetch(
        (holder.app_id, "tenant"),
        lambda: gateway.bus.call(system_ctx, GetTenant()),
        tags=lambda tenant: [("application", tenant.app_id)],
    )


async def _caller_of_key(gateway: Gateway, request: GatewayRequest, key: str) -> Caller:
    admission = admission_of(request)
    try:
        holder = await key_holder(gateway, request.context(), key)
    except Unauthenticated:
        admission.reject(key)
        raise
    if holder.app_id != request.app.app_id:
        raise NotFound
    if holder.key_type == "publishable":
        return ANONYMOUS  # it names the application and proves nothing
    admission.accept(key)
    return Caller(kind="secret_key", id=holder.key_id, permissions=EVERYTHING)


async def valid_token(gateway: Gateway, request: GatewayRequest, token: str) -> ValidToken:
    """Returns the access token that a request presents. Raises InvalidToken."""
    try:
        valid = await access_token(gateway, request, token)
    except InvalidToken:
        admission_of(request).reject(token)
        raise
    admission_of(request).accept(token)
    return valid


async def signed_in_user(
    gateway: Gateway, request: GatewayRequest, find: FindSession = session_by_token
) -> SignedInUser | None:
    """Returns the user who is signed in at this browser on this host, or None. `find` looks the
    session up."""
    token = request.cookie(gateway.settings.session_cookie)
    if not token or len(token) > MAX_SESSION_TOKEN or session_has_ended(gateway, request, token):
        return None
    try:
        user = await find(gateway, request, token)
    except NoSession:
        admission_of(request).reject(token)
        remember_ended_session(gateway, request, token)
        return None
    admission_of(request).accept(token)
    if user.session.actor is not None:
        request.state.impersonated_session = user.session
    return user


async def guest_context(gateway: Gateway, request: GatewayRequest) -> Context:
    """Returns the Context for a sign-in or sign-up: that of the guest who is signed in at this browser,
    else an anonymous one. With the guest as caller, identity upgrades the guest's account."""
    user = await user_even_without_rights(gateway, request)
    is_guest = user is not None and user.session.guest and user.session.actor is None
    return request.context(user.caller if user and is_guest else ANONYMOUS)


async def user_even_without_rights(
    gateway: Gateway, request: GatewayRequest
) -> SignedInUser | None:
    """Returns what `signed_in_user` returns. If rbac is unreachable, the user has no rights: for pages
    where rights do not matter."""
    return await signed_in_user(gateway, request, session_even_without_rights)
