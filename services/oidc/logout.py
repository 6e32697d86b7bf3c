"""RP-Initiated Logout 1.0, and telling the clients of a session that it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from common.context import Context
from common.contracts.authorization import SignedIn
from common.contracts.logout import LoggedOut, LogOut
from common.contracts.oauth_errors import OAuthError
from common.crypto import b64url
from common.db import Db
from common.ids import new_id
from common.sealing import unb64
from oidc import client_cache, jose, keys, params, tokens
from oidc.checks.redirect_uri_is_registered import matches
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.params import Given
from oidc.queries import logouts, token_families
from oidc.queries.clients import Registered
from oidc.queries.logouts import Told
from oidc.subjects import sid, subject

QUESTION_LIFETIME: Final = 600
"""Seconds in which the person may answer whether to sign out."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a relying party asked for, proven as far as it can be."""

    client: Registered | None
    location: str | None
    hinted_sub: str | None
    hinted_sid: str | None = None


async def end(deps: Deps, ctx: Context, request: LogOut) -> LoggedOut:
    try:
        if request.request is not None:
            return await _answered(deps, ctx, request)
        wish = await _wish(deps, ctx, params.single(request.params))
    except OAuthError as problem:
        return LoggedOut(kind="error", error=problem.code, error_description=problem.detail)
    meant = _meant(deps, ctx, wish, request)
    if meant is not None or request.session is None:
        return await _ended(deps, ctx, meant, wish.location)
    return LoggedOut(
        kind="confirm",
        request=_question(deps, ctx, wish, request),
        client_name=wish.client.name if wish.client else None,
    )


async def _wish(deps: Deps, ctx: Context, params: Given) -> Wish:
    """Section 2. A hint that is not ours counts as none: the user is asked. Raises OAuthError for a
    redirection that is not registered: then nothing is ended and nobody sent anywhere."""
    hint, client_id = params.get("id_token_hint"), params.get("client_id")
    claims: dict[str, Any] = {}
    if hint is not None:
        claims = await _hinted(deps, ctx, hint)
    if claims:
        if client_id is not None and client_id != claims["aud"]:
            raise OAuthError("client_id is not the one that id_token_hint was issued to")
        client_id = claims["aud"]
    client = None
    if client_id is not None:
        client = await registered(deps, ctx, client_id)
        if client is None:
            raise OAuthError("the client is unknown")
    return Wish(client, _location(client, params), claims.get("sub"), claims.get("sid"))


async def _hinted(deps: Deps, ctx: Context, hint: str) -> dict[str, Any]:
    """The claims of an ID token of ours, expired or not; empty if it is none. Its key may have been
    retired since: that must not keep anybody from signing out."""
    found = await keys.key_set(deps, ctx)
    try:
        claims = jose.verify(hint, found.verifying.get, types=frozenset({tokens.ID}))
    except jose.BadToken:
        return {}
    if claims.get("token_use", "id") != "id" or not isinstance(claims["aud"], str):
        return {}
    return claims


def _location(client: Registered | None, params: Given) -> str | None:
    """Section 3: exactly as registered; without a known client nobody is redirected."""
    uri = params.get("post_logout_redirect_uri")
    if uri is None or client is None:
        return None
    if not matches(client.post_logout_redirect_uris, client.type, uri):
        raise OAuthError(f"post_logout_redirect_uri is not registered for this client: {uri[:300]}")
    state = params.get("state")
    if state is None:
        return uri
    joint = "&" if "?" in uri else "?"
    return uri + joint + urlencode({"state": state}, quote_via=quote, safe="")


def _meant(deps: Deps, ctx: Context, wish: Wish, request: LogOut) -> SignedIn | None:
    """The browser's session that the hint was issued in, else one of the same user: the person
    need not be asked again."""
    if wish.hinted_sub is None or wish.client is None:
        return None
    client, own = wish.client, [*([request.session] if request.session else []), *request.others]
    theirs = [one for one in own if subject(deps.keys, client, one.user_id) == wish.hinted_sub]
    for one in theirs:
        if sid(deps.keys, ctx.app_id, client.client_id, one.session_id) == wish.hinted_sid:
            return one
    return next(iter(theirs), None)


async def _answered(deps: Deps, ctx: Context, request: LogOut) -> LoggedOut:
    """The person answered our question."""
    known = _read(deps, ctx, request.request or "")
    if not request.confirmed:
        raise OAuthError("the question was not answered")
    if request.session is not None and known["session"] != request.session.session_id:
        raise OAuthError("somebody else is signed in now than was asked")
    return await _ended(deps, ctx, request.session, known["location"])


async def _ended(
    deps: Deps, ctx: Context, session: SignedIn | None, location: str | None
) -> LoggedOut:
    frontchannel: list[str] = []
    session_id = None
    if session is not None:
        session_id = session.session_id
        frontchannel = await tell(deps, ctx, session_id)
        await deps.deliveries.hurry(within=1.0)
    return LoggedOut(
        kind="redirect" if location else "done",
        location=location,
        session_id=session_id,
        frontchannel=frontchannel,
    )


async def tell(deps: Deps, ctx: Context, session_id: str) -> list[str]:
    """End the session's online grants and queue a logout token to each of its clients that wants
    one (Back-Channel Logout 1.0). Returns the addresses to load in the browser (Front-Channel
    Logout 1.0). Once per session and client, whoever comes first."""
    wanted: list[tuple[Registered, Told]] = []
    async with deps.db.transaction(ctx) as tx:
        told = await logouts.take_clients(tx, app_id=ctx.app_id, session_id=session_id)
        for one in told:
            client = await client_cache.read(deps, tx, ctx, one.client_id)
            if client is not None:
                wanted.append((client, one))
                await _enqueue(deps, tx, ctx, client, one)
        ended = await token_families.end_online_of_session(
            tx, app_id=ctx.app_id, session_id=session_id
        )
    for family_id in ended:
        await deps.changed(ctx, "token", family_id)
    if told:
        deps.deliveries.wake()
    return [
        _frontchannel(client, one.issuer or ctx.origin, one.sid)
        for client, one in wanted
        if client.frontchannel_logout_uri
    ]


async def _enqueue(deps: Deps, tx: Db, ctx: Context, client: Registered, one: Told) -> None:
    if not client.backchannel_logout_uri:
        return
    await logouts.enqueue(
        tx,
        app_id=ctx.app_id,
        id=new_id(),
        client_id=client.client_id,
        user_id=one.user_id,
        issuer=one.issuer,
        subject=one.subject or (one.user_id and subject(deps.keys, client, one.user_id)),
        sid=one.sid,
        uri=client.backchannel_logout_uri,
    )


def _frontchannel(client: Registered, issuer: str, sid: str) -> str:
    """Front-Channel Logout 1.0 section 2: with iss and sid, so that it is the right session."""
    uri = client.frontchannel_logout_uri or ""
    joint = "&" if "?" in uri else "?"
    return uri + joint + urlencode({"iss": issuer, "sid": sid})


def _question(deps: Deps, ctx: Context, wish: Wish, request: LogOut) -> str:
    """What was asked, authenticated, to come back with the answer: nothing is stored for it."""
    assert request.session is not None
    body = orjson.dumps(
        {
            "app": ctx.app_id,
            "session": request.session.session_id,
            "location": wish.location,
            "until": int(time.time()) + QUESTION_LIFETIME,
        }
    )
    return f"{b64url(body)}.{b64url(deps.keys.digest('logout-question', body))}"


def _read(deps: Deps, ctx: Context, question: str) -> dict[str, Any]:
    stale = OAuthError("this question has expired: sign out again in the app")
    body, dot, mac = question.partition(".")
    try:
        plain, shown = unb64(body), unb64(mac)
    except ValueError:
        raise stale from None
    if not dot or not compare_digest(shown, deps.keys.digest("logout-question", plain)):
        raise stale
    known: dict[str, Any] = orjson.loads(plain)
    if known["app"] != ctx.app_id or known["until"] < time.time():
        raise stale
    return known
