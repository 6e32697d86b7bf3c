"""The logout endpoint (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from common import clock
from common.context import Context
from common.contracts.authorization import SignedIn
from common.contracts.logout import LoggedOut, LogOut
from common.contracts.oauth_errors import OAuthError
from common.crypto import b64url
from common.sealing import unb64
from oidc import client_display, jose, json_web_keys, keys, logout_notification, oauth_parameters
from oidc.checks.redirect_uri_is_registered import matches
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.oauth_parameters import OAuthParameters
from oidc.queries.clients import RegisteredClient
from oidc.subjects import sid, subject

QUESTION_LIFETIME: Final = 600
"""Seconds in which the user may answer whether to sign out."""


@dataclass(frozen=True, slots=True)
class RequestedLogout:
    """A request that was checked. `hinted_sub` and `hinted_sid` are those of the ID token hint."""

    client: RegisteredClient | None
    location: str | None
    hinted_sub: str | None
    hinted_sid: str | None = None


async def log_out(deps: Deps, ctx: Context, request: LogOut) -> LoggedOut:
    """Ends a session of the browser, or asks the user whether to end it.

    The user is not asked if the ID token hint names one of the browser's users, or if they have
    answered already.
    """
    try:
        if request.request is not None:
            return await _answer(deps, ctx, request)
        parameters = oauth_parameters.without_repeats(request.params)
        requested = await _read_request(deps, ctx, parameters)
    except OAuthError as problem:
        return LoggedOut(kind="error", error=problem.code, error_description=problem.detail)
    session = _hinted_session(deps, ctx, requested, request)
    if session is not None or request.session is None:
        return await _end_session(deps, ctx, session, requested.location)
    return LoggedOut(
        kind="confirm",
        request=_sign_question(deps, ctx, request.session, requested.location),
        client_name=client_display.shown_name(requested.client) if requested.client else None,
    )


async def _read_request(deps: Deps, ctx: Context, parameters: OAuthParameters) -> RequestedLogout:
    """Checks the parameters (section 2). An invalid hint is ignored, so the user is asked.

    Raises OAuthError if the redirect URI is not registered. Then no session is ended.
    """
    hint, client_id = parameters.get("id_token_hint"), parameters.get("client_id")
    claims: dict[str, Any] = {}
    if hint is not None:
        claims = await _hint_claims(deps, ctx, hint)
    if claims:
        if client_id is not None and client_id != claims["aud"]:
            raise OAuthError("client_id is not the client that id_token_hint was issued to")
        client_id = claims["aud"]
    client = None
    if client_id is not None:
        client = await find_registered(deps, ctx, client_id)
        if client is None:
            raise OAuthError("the client is unknown")
    location = _location(client, parameters)
    return RequestedLogout(client, location, claims.get("sub"), claims.get("sid"))


async def _hint_claims(deps: Deps, ctx: Context, hint: str) -> dict[str, Any]:
    """Returns the claims of one of our ID tokens, expired or not. They are empty if it is invalid.

    The key of the hint may be retired already. This must not keep the user from signing out.
    """
    key_set = await keys.get_key_set(deps, ctx)
    try:
        claims = jose.verify(hint, key_set.verifying.get, types=frozenset({jose.ID_TOKEN}))
    except json_web_keys.BadToken:
        return {}
    if claims.get("token_use", "id") != "id" or not isinstance(claims["aud"], str):
        return {}
    return claims


def _location(client: RegisteredClient | None, parameters: OAuthParameters) -> str | None:
    """Returns where to redirect (section 3), or None if the client is not known.

    Raises OAuthError if the address is not registered.
    """
    uri = parameters.get("post_logout_redirect_uri")
    if uri is None or client is None:
        return None
    if not matches(client.post_logout_redirect_uris, client.type, uri):
        raise OAuthError(f"post_logout_redirect_uri is not registered for this client: {uri[:300]}")
    state = parameters.get("state")
    if state is None:
        return uri
    joint = "&" if "?" in uri else "?"
    return uri + joint + urlencode({"state": state}, quote_via=quote, safe="")


def _hinted_session(
    deps: Deps, ctx: Context, requested: RequestedLogout, request: LogOut
) -> SignedIn | None:
    """Returns the session that the hint was issued in, or another one of the same user."""
    if requested.hinted_sub is None or requested.client is None:
        return None
    client = requested.client
    sessions = [*([request.session] if request.session else []), *request.others]
    of_user = [
        session
        for session in sessions
        if subject(deps.keys, client, session.user_id) == requested.hinted_sub
    ]
    for session in of_user:
        if sid(deps.keys, ctx.app_id, client.client_id, session.session_id) == requested.hinted_sid:
            return session
    return next(iter(of_user), None)


async def _answer(deps: Deps, ctx: Context, request: LogOut) -> LoggedOut:
    """Ends the session after the user has confirmed it. Raises OAuthError."""
    question = _read_question(deps, ctx, request.request or "")
    if not request.confirmed:
        raise OAuthError("the question was not answered")
    if request.session is not None and question["session"] != request.session.session_id:
        raise OAuthError("another user has signed in since the question was shown")
    return await _end_session(deps, ctx, request.session, question["location"])


async def _end_session(
    deps: Deps, ctx: Context, session: SignedIn | None, location: str | None
) -> LoggedOut:
    frontchannel: list[str] = []
    session_id = None
    if session is not None:
        session_id = session.session_id
        frontchannel = await logout_notification.notify_clients(deps, ctx, session_id)
        await deps.deliveries.at(ctx.home).hurry(within=1.0)
    return LoggedOut(
        kind="redirect" if location else "done",
        location=location,
        session_id=session_id,
        frontchannel=frontchannel,
    )


def _sign_question(deps: Deps, ctx: Context, session: SignedIn, location: str | None) -> str:
    """Returns the question with a MAC. It comes back with the answer, so nothing is stored."""
    body = orjson.dumps(
        {
            "app": ctx.app_id,
            "session": session.session_id,
            "location": location,
            "until": int(clock.now()) + QUESTION_LIFETIME,
        }
    )
    return f"{b64url(body)}.{b64url(deps.keys.digest('logout-question', body))}"


def _read_question(deps: Deps, ctx: Context, question: str) -> dict[str, Any]:
    """Verifies a question. Raises OAuthError if it has expired or is not ours."""
    expired = OAuthError("this question has expired: sign out in the app again")
    body, dot, mac = question.partition(".")
    try:
        content, presented_mac = unb64(body), unb64(mac)
    except ValueError:
        raise expired from None
    if not dot or not deps.keys.has_made("logout-question", content, presented_mac):
        raise expired
    fields: dict[str, Any] = orjson.loads(content)
    if fields["app"] != ctx.app_id or fields["until"] < clock.now():
        raise expired
    return fields
