"""Sessions in the browser: the active one, and further accounts to switch to.

The session cookie holds the token of the active session. The accounts cookie holds the tokens of
other sessions on the same host, newest first, at most MAX_ACCOUNTS.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

from common.contracts.authorization import SignedIn
from common.contracts.sessions import NoSession, Session, SessionActor, SignedInSession, SignOut
from gateway.auth.cache import session_even_without_rights
from gateway.auth.caller import MAX_SESSION_TOKEN
from gateway.http.request import GatewayRequest
from gateway.state import Gateway, SignedInUser

MAX_ACCOUNTS: Final = 5
YEAR: Final = 31_536_000
HALF_SESSION_AGE: Final = 600
"""Seconds."""


async def start(gateway: Gateway, request: GatewayRequest, new: SignedInSession) -> None:
    """Sets the cookie of a new session, or that of a half session.

    Earlier sessions of other users stay accounts of this browser. Earlier sessions of the same user end,
    so that a cookie from before the sign-in is worth nothing. Clients that were signed in by them stay
    signed in by the new one."""
    if new.session is None:
        request.set_cookie(gateway.settings.half_session_cookie, new.token, HALF_SESSION_AGE)
        return
    others = []
    tokens = _all(gateway, request)
    live = [(token, user) async for token, user in _live(gateway, request, tokens)]
    ended = _ended_by(new.session, [user.session for _, user in live])
    for token, user in live:
        if user.session.id in ended:
            await gateway.bus.call(request.context(), SignOut(token=token))
        elif user.session.user_id != new.session.user_id or new.session.actor is not None:
            others.append(token)
        elif token != new.token:
            replaced = SignOut(token=token, successor=new.session.id)
            await gateway.bus.call(request.context(), replaced)
    await _write(gateway, request, new.token, others, max_age=_seconds_left(new.session))
    forget_half(gateway, request)


def forget_half(gateway: Gateway, request: GatewayRequest) -> None:
    """Deletes the cookie of a half session, if there is one."""
    if request.cookie(gateway.settings.half_session_cookie) is not None:
        request.set_cookie(gateway.settings.half_session_cookie, "", 0)


def _ended_by(new: Session, sessions: list[Session]) -> set[str]:
    """Returns the ids of sessions that end without a successor when a session starts: those in which
    somebody acts as a user. If that user signs in here themselves, the actor is signed out, too."""
    ended: set[str] = set()
    for session in sessions:
        if session.actor is None or session.id == new.id:
            continue
        ended.add(session.id)
        if session.user_id == new.user_id and new.actor is None:
            ended.add(session.actor.session_id)
    return ended


async def end_impersonation(gateway: Gateway, request: GatewayRequest, actor: SessionActor) -> None:
    """Ends the active session, in which somebody acts as a user. The actor's own session becomes
    active, if it is one of this browser."""
    active = _active(gateway, request)
    if active:
        await gateway.bus.call(request.context(), SignOut(token=active))
    others = _others(gateway, request)
    live = [(token, user) async for token, user in _live(gateway, request, others)]
    own = next((one for one in live if one[1].session.id == actor.session_id), None)
    rest = [token for token, _ in live if own is None or token != own[0]]
    max_age = _seconds_left(own[1].session) if own else 0
    await _write(gateway, request, own[0] if own else None, rest, max_age=max_age)


def half_session(gateway: Gateway, request: GatewayRequest) -> str | None:
    """Returns the token of the browser's half session: a sign-in whose second factor is missing."""
    token = request.cookie(gateway.settings.half_session_cookie)
    return token if token and len(token) <= MAX_SESSION_TOKEN else None


async def end(gateway: Gateway, request: GatewayRequest) -> None:
    """Signs the active account out. Other accounts stay signed in. None of them becomes active: the
    user chooses."""
    token = _active(gateway, request)
    if token:
        await gateway.bus.call(request.context(), SignOut(token=token))
    others = _others(gateway, request)
    live = [token async for token, _ in _live(gateway, request, others)]
    await _write(gateway, request, None, live, max_age=0)


async def end_session(gateway: Gateway, request: GatewayRequest, session_id: str) -> None:
    """Signs that account of this browser out, active or not."""
    tokens = _all(gateway, request)
    live = [(token, user) async for token, user in _live(gateway, request, tokens)]
    token = next((token for token, user in live if user.session.id == session_id), None)
    if token is None:
        return
    active = _active(gateway, request)
    if token == active:
        await end(gateway, request)
        return
    await gateway.bus.call(request.context(), SignOut(token=token))
    others = [other for other in _others(gateway, request) if other != token]
    max_age = next((_seconds_left(user.session) for other, user in live if other == active), 0)
    await _write(gateway, request, active, others, max_age=max_age)


async def end_all(gateway: Gateway, request: GatewayRequest) -> None:
    """Signs every account of this browser out."""
    for token in _all(gateway, request):
        await gateway.bus.call(request.context(), SignOut(token=token))
    await _write(gateway, request, None, [], max_age=0)


async def accounts(gateway: Gateway, request: GatewayRequest) -> list[SignedInUser]:
    """Returns every live account of this browser, the active one first."""
    users: list[SignedInUser] = []
    async for _, user in _live(gateway, request, _all(gateway, request)):
        if all(user.session.user_id != other.session.user_id for other in users):
            users.append(user)
    return users


async def other_accounts(
    gateway: Gateway, request: GatewayRequest, user: SignedInUser | None
) -> list[SignedInUser]:
    """Returns the live accounts of this browser except that of `user`."""
    if not _others(gateway, request):
        return []
    own = user.session.user_id if user else None
    return [one for one in await accounts(gateway, request) if one.session.user_id != own]


async def switch(gateway: Gateway, request: GatewayRequest, session_id: str) -> bool:
    """Makes another account of this browser the active one. Returns False if there is none with this
    session."""
    tokens = _all(gateway, request)
    async for token, user in _live(gateway, request, tokens):
        if user.session.id == session_id:
            others = [other for other in tokens if other != token]
            await _write(gateway, request, token, others, max_age=_seconds_left(user.session))
            return True
    return False


def has_session_cookie(gateway: Gateway, request: GatewayRequest) -> bool:
    """Returns whether the browser sent a cookie of any session, live or not."""
    return bool(_all(gateway, request))


def session_facts(user: SignedInUser | None) -> SignedIn | None:
    """Returns what the authorization endpoint needs to know about the browser's session."""
    if user is None:
        return None
    session = user.session
    return SignedIn(
        session_id=session.id,
        user_id=session.user_id,
        auth_time=session.auth_time,
        acr=session.acr,
        amr=session.amr,
        factor_times=session.factor_times,
        second_factors=session.second_factors,
        org_id=session.active_org_id,
        email=session.email,
        guest=session.guest,
        impersonated=session.actor is not None,
    )


async def other_session_facts(
    gateway: Gateway, request: GatewayRequest, user: SignedInUser | None
) -> list[SignedIn]:
    """Returns the `session_facts` of the other accounts."""
    others = await other_accounts(gateway, request, user)
    return [facts for one in others if (facts := session_facts(one)) is not None]


async def _live(
    gateway: Gateway, request: GatewayRequest, tokens: list[str]
) -> AsyncIterator[tuple[str, SignedInUser]]:
    """Yields the tokens of live sessions, each with its user."""
    for token in tokens:
        try:
            user = await session_even_without_rights(gateway, request, token)
        except NoSession:
            continue
        yield token, user


def _all(gateway: Gateway, request: GatewayRequest) -> list[str]:
    tokens = (_active(gateway, request), *_others(gateway, request))
    return [token for token in tokens if token]


def _active(gateway: Gateway, request: GatewayRequest) -> str | None:
    token = request.cookie(gateway.settings.session_cookie)
    return token if token and len(token) <= MAX_SESSION_TOKEN else None


def _others(gateway: Gateway, request: GatewayRequest) -> list[str]:
    tokens = (request.cookie(gateway.settings.accounts_cookie) or "").split(".")
    return [token for token in tokens if token and len(token) <= MAX_SESSION_TOKEN][:MAX_ACCOUNTS]


def _seconds_left(session: Session) -> int | None:
    """Returns the Max-Age of the session's cookie. None: until the browser is closed, because the user
    did not choose to stay signed in."""
    if not session.remembered:
        return None
    return max(1, int(session.expires_at.timestamp() - time.time()))


async def _longest(gateway: Gateway, request: GatewayRequest, tokens: list[str]) -> int | None:
    """Returns the Max-Age of the accounts cookie. It outlives the browser only if all sessions may."""
    ages = [_seconds_left(user.session) async for _, user in _live(gateway, request, tokens)]
    seconds = [age for age in ages if age is not None]
    return max(seconds) if seconds and len(seconds) == len(ages) else None


async def _write(
    gateway: Gateway,
    request: GatewayRequest,
    active: str | None,
    others: list[str],
    *,
    max_age: int | None,
) -> None:
    """Sets the cookies of the active session and of the others. `max_age` is for the active one."""
    settings = gateway.settings
    before = request.cookie(settings.accounts_cookie)
    request.set_cookie(settings.session_cookie, active or "", max_age if active else 0)
    listed = ".".join(others[:MAX_ACCOUNTS])
    if listed or before:
        longest = await _longest(gateway, request, others) if listed else 0
        request.set_cookie(settings.accounts_cookie, listed, longest)
