"""The sessions of whoever is signed in: devices as people know them."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response

from common.contracts.sessions import (
    CurrentSession,
    ListSessions,
    RevokeOtherSessions,
    RevokeSession,
    SessionNotFound,
)
from gateway.http.request import GatewayRequest
from gateway.pages.account import opened
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.render import Page, go, open_page
from gateway.state import Signed

PHONE: Final = re.compile(r"\b(iPhone|iPad|Android|Mobile)\b")


async def show(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/sessions"""
    return await _list(open_page(visit, signed), fields, signed)


async def _list(
    page: Page, fields: Fields, signed: Signed, errors: dict[str, str] | None = None
) -> Response:
    visit = page.visit
    found = await visit.gateway.bus.call(visit.context(signed.caller), ListSessions())
    ordered = sorted(found.sessions, key=lambda one: not one.is_current)
    return opened(
        page,
        "sessions.html",
        "/account/sessions",
        fields,
        sessions=ordered,
        on_phone=lambda one: bool(PHONE.search(one.user_agent or "")),
        errors=errors,
    )


async def revoke(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/sessions"""
    page = open_page(visit, signed)
    try:
        request = RevokeSession(session_id=fields.text("session_id"))
        await visit.gateway.bus.call(visit.context(signed.caller), request)
    except (SessionNotFound, CurrentSession) as error:
        return await _list(page, fields, signed, errors_of(page.language, error))
    return go(at("/account/sessions", done="revoked"))


async def revoke_others(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/sessions/others"""
    await visit.gateway.bus.call(visit.context(signed.caller), RevokeOtherSessions())
    return go(at("/account/sessions", done="others"))


ROUTES = [
    shown("/account/sessions", own(show)),
    sent("/account/sessions", own(revoke)),
    sent("/account/sessions/others", own(revoke_others)),
]
