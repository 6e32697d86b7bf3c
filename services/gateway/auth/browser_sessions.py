"""Sessions in the browser: the active one, and further accounts for the switcher.

The session cookie holds the active session's token; the accounts cookie the tokens of others on
the same host, newest first, at most `MOST`. The choices cookie says which session the person chose
for which client.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Final

from common.contracts.authorization import SignedIn
from common.contracts.sessions import NoSession, Session, SignedInSession, SignOut
from gateway.auth.caller import bare_by_token
from gateway.http.request import GatewayRequest, set_cookie
from gateway.state import Signed

MOST: Final = 5
TOKEN: Final = 200
"""Characters; a longer cookie is none of ours."""
YEAR: Final = 31_536_000
"""Seconds."""
MOST_CHOICES: Final = 20
CHOICE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A client's or a session's id."""


async def begin(visit: GatewayRequest, signed: SignedInSession) -> None:
    """Set the cookie of a new session; those before stay accounts of this browser, except those of
    the same user, which end: a cookie from before signing in is worth nothing afterwards. The apps
    that were signed in by them stay so, by the new one."""
    others = []
    async for token, found in _live(visit, _all(visit)):
        if found.session.user_id != signed.session.user_id:
            others.append(token)
        elif token != signed.token:
            left = SignOut(token=token, successor=signed.session.id)
            await visit.gateway.bus.call(visit.context(), left)
    await _write(visit, signed.token, others, _left(signed.session))


async def end(visit: GatewayRequest) -> None:
    """Sign the active account out. Others stay signed in, but none of them becomes active by
    itself: the person chooses."""
    token = _active(visit)
    if token:
        await visit.gateway.bus.call(visit.context(), SignOut(token=token))
    await _deactivate(visit)


async def end_session(visit: GatewayRequest, session_id: str) -> None:
    """Sign that account of this browser out, active or not."""
    live = [(token, signed) async for token, signed in _live(visit, _all(visit))]
    token = next((token for token, signed in live if signed.session.id == session_id), None)
    if token is None:
        return
    if token == _active(visit):
        await end(visit)
        return
    await visit.gateway.bus.call(visit.context(), SignOut(token=token))
    active = _active(visit)
    left = next((_left(signed.session) for other, signed in live if other == active), 0)
    await _write(visit, active, [other for other in _others(visit) if other != token], left)


async def end_all(visit: GatewayRequest) -> None:
    """Sign every account of this browser out."""
    for token in _all(visit):
        await visit.gateway.bus.call(visit.context(), SignOut(token=token))
    await _write(visit, None, [], 0)


async def _deactivate(visit: GatewayRequest) -> None:
    rest = [token async for token, _ in _live(visit, _others(visit))]
    await _write(visit, None, rest, 0)


async def accounts(visit: GatewayRequest) -> list[Signed]:
    """Every live account of this browser, the active one first."""
    found: list[Signed] = []
    async for _, signed in _live(visit, _all(visit)):
        if all(signed.session.user_id != other.session.user_id for other in found):
            found.append(signed)
    return found


async def others(visit: GatewayRequest, signed: Signed | None) -> list[Signed]:
    """The live accounts of this browser besides `signed`."""
    if not _others(visit):
        return []
    mine = signed.session.user_id if signed else None
    return [one for one in await accounts(visit) if one.session.user_id != mine]


def choices(visit: GatewayRequest) -> dict[str, str]:
    """By client: the session that the person chose for it in this browser."""
    found = {}
    for pair in visit.cookies.get(visit.gateway.settings.choices_cookie, "").split("."):
        client, _, session = pair.partition("~")
        if CHOICE.fullmatch(client) and CHOICE.fullmatch(session):
            found[client] = session
    return dict(list(found.items())[-MOST_CHOICES:])


def remember(visit: GatewayRequest, client_id: str, session_id: str) -> None:
    """From now on this client goes on with this session, until it ends."""
    found = choices(visit)
    if found.pop(client_id, None) == session_id or not CHOICE.fullmatch(client_id):
        return
    found[client_id] = session_id
    settings = visit.gateway.settings
    packed = ".".join(f"{client}~{session}" for client, session in found.items())
    visit.cookies_out.append(
        set_cookie(settings.choices_cookie, packed, secure=settings.secure, max_age=YEAR)
    )


async def switch(visit: GatewayRequest, session_id: str) -> bool:
    """Make another account of this browser the active one; False where it has none such."""
    tokens = _all(visit)
    async for token, signed in _live(visit, tokens):
        if signed.session.id == session_id:
            rest = [other for other in tokens if other != token]
            await _write(visit, token, rest, _left(signed.session))
            return True
    return False


def shows_sessions(visit: GatewayRequest) -> bool:
    """Whether the browser sent any cookie of a session."""
    return bool(_all(visit))


def facts(signed: Signed | None) -> SignedIn | None:
    """What the authorization endpoint needs to know of the browser's session."""
    if signed is None:
        return None
    session = signed.session
    return SignedIn(
        session_id=session.id,
        user_id=session.user_id,
        auth_time=session.auth_time,
        acr=session.acr,
        amr=session.amr,
        org_id=session.active_org_id,
        email=session.email,
    )


async def _live(visit: GatewayRequest, tokens: list[str]) -> AsyncIterator[tuple[str, Signed]]:
    """Those tokens that still name a session, with it."""
    for token in tokens:
        try:
            signed = await bare_by_token(visit, token)
        except NoSession:
            continue
        yield token, signed


def _all(visit: GatewayRequest) -> list[str]:
    return [token for token in (_active(visit), *_others(visit)) if token]


def _active(visit: GatewayRequest) -> str | None:
    token = visit.cookies.get(visit.gateway.settings.session_cookie)
    return token if token and len(token) <= TOKEN else None


def _others(visit: GatewayRequest) -> list[str]:
    listed = visit.cookies.get(visit.gateway.settings.accounts_cookie, "")
    return [token for token in listed.split(".") if token and len(token) <= TOKEN][:MOST]


def _left(session: Session) -> int | None:
    """Seconds that the cookie stays; None: until the browser is closed, where the user did not
    choose to stay signed in."""
    if not session.remembered:
        return None
    return max(1, int(session.expires_at.timestamp() - time.time()))


async def _longest(visit: GatewayRequest, others: list[str]) -> int | None:
    """For the cookie of several accounts: it outlives the browser only if all of them may."""
    lives = [_left(signed.session) async for _, signed in _live(visit, others)]
    kept = [life for life in lives if life is not None]
    return max(kept) if kept and len(kept) == len(lives) else None


async def _write(
    visit: GatewayRequest, active: str | None, others: list[str], max_age: int | None
) -> None:
    settings = visit.gateway.settings
    had = visit.cookies.get(settings.accounts_cookie)
    visit.cookies_out.append(
        set_cookie(
            settings.session_cookie,
            active or "",
            secure=settings.secure,
            max_age=max_age if active else 0,
        )
    )
    listed = ".".join(others[:MOST])
    if listed or had:
        visit.cookies_out.append(
            set_cookie(
                settings.accounts_cookie,
                listed,
                secure=settings.secure,
                max_age=await _longest(visit, others) if listed else 0,
            )
        )
    visit.cookies[settings.session_cookie] = active or ""
    visit.cookies[settings.accounts_cookie] = listed
