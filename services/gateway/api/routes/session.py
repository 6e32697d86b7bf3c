"""Who is signed in, for pages and single-page applications that ask on every load."""

from __future__ import annotations

from common.contracts.sessions import NoSession
from gateway.app import Route
from gateway.auth.caller import session_of
from gateway.http import response as answers
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, Answer


async def session(visit: GatewayRequest) -> Answer:
    """GET /api/auth/session: the live session of the cookie. 401 where there is none."""
    signed = await session_of(visit)
    if signed is None:
        raise NoSession
    return Answer(200, signed.document, [JSON, NO_STORE])


HOT = {("GET", "/api/auth/session"): Route(session, answers.problem)}
