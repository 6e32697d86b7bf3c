"""Signing out: here, or at the wish of a relying party."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.contracts.authorization import Params
from common.contracts.logout import LoggedOut, LogOut
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_without_rights
from gateway.http import csrf, forms
from gateway.http.request import GatewayRequest
from gateway.pages import changed_session as moved
from gateway.pages import errors
from gateway.pages.endpoint import sent, shown
from gateway.pages.fields import Fields
from gateway.pages.render import Page, go, open_page

LONGEST: Final = 6000
"""Bytes of parameters that fit into an address."""
AGAIN: Final = "aero2_again"
"""A field of a form that a page of ours posts on behalf of a relying party."""


async def ask(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /logout"""
    signed = await session_without_rights(visit)
    if signed is None:
        return await _done(open_page(visit))
    return _confirm(open_page(visit, signed), "/logout", {}, None)


def _confirm(
    page: Page, action: str, carried: dict[str, str | None], client: str | None
) -> Response:
    return page.show("logout.html", action=action, carried=carried, client=client)


async def leave(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /logout: of the account that the page showed. Whoever is signed out already stays so."""
    signed = await session_without_rights(visit)
    if signed and not csrf.is_of_session(visit, fields.get("csrf"), signed):
        return moved.changed_session(visit, fields, signed, "/logout")
    if fields.get("all"):
        await browser.end_all(visit)
    else:
        await browser.end(visit)
    return go("/logout/done")


async def done(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /logout/done"""
    return await _done(open_page(visit, await session_without_rights(visit)))


async def _done(page: Page, frames: list[str] | None = None, onward: str | None = None) -> Response:
    says = page.say("You're signed out of %(name)s in this browser.", name=page.app.name)
    link, button = onward or "/login", page.say("Continue") if onward else page.say("Sign in")
    if await browser.others(page.visit, None):
        says = page.say("You're signed out. Other accounts in this browser are still signed in.")
        link, button = onward or "/accounts", page.say("Choose an account")
    says = f"{says} {page.own_text('signed_out_text')}".strip()
    return page.close(
        page.say("Signed out"), says, link=link, button=button, onward=onward, frames=frames
    )


async def relying_party(request: Request) -> Response:
    """GET or POST /oauth2/logout (OpenID Connect RP-Initiated Logout 1.0, section 2). The person's
    own answer to our question comes with a form token; what a relying party sends has none."""
    visit: GatewayRequest = request.scope["visit"]
    params = forms.query(visit) if visit.method == "GET" else await forms.form(visit)
    fields = Fields(reversed(params))
    answered = visit.method == "POST" and "csrf" in fields
    if answered:
        csrf.check_form(visit, fields.get("csrf"))
    elif visit.method == "POST" and not browser.shows_sessions(visit) and AGAIN not in fields:
        return _come_back(visit, params)
    signed = await session_without_rights(visit)
    if answered and signed and not csrf.is_of_session(visit, fields.get("csrf"), signed):
        return moved.changed_session(visit, Fields(), signed, "/logout")
    others = await browser.others(visit, signed)
    asked = LogOut(
        params=[] if answered else [(name, value) for name, value in params if name != AGAIN],
        session=browser.facts(signed),
        others=[facts for one in others if (facts := browser.facts(one)) is not None],
        confirmed=answered,
        request=fields.given("request") if answered else None,
    )
    ended = await visit.gateway.bus.call(visit.context(), asked)
    page = open_page(visit, signed, away=True)
    if ended.kind == "error":
        return errors.logout_refused(page, ended.error, ended.error_description)
    if ended.kind == "confirm" and signed is not None:
        return _confirm(page, "/oauth2/logout", {"request": ended.request}, ended.client_name)
    return await _ended(page, ended)


def _come_back(visit: GatewayRequest, params: Params) -> Response:
    """A form of another site comes without our cookies (SameSite=Lax). They come along when the
    browser is sent here once more, or posts from a page of ours what is too long for an address."""
    query = urlencode(params)
    if len(query) <= LONGEST:
        return go(f"/oauth2/logout?{query}")
    page = open_page(visit, away=True)
    fields = [*params, (AGAIN, "1")]
    return page.show("post.html", action="/oauth2/logout", fields=fields, client=page.app.name)


async def _ended(page: Page, ended: LoggedOut) -> Response:
    visit = page.visit
    if ended.session_id is not None:
        await browser.end_session(visit, ended.session_id)
    if ended.kind == "redirect" and ended.location and not ended.frontchannel:
        return go(ended.location)
    left = Page(visit, None, page.language, away=True)
    onward = ended.location if ended.kind == "redirect" else None
    return await _done(left, ended.frontchannel, onward)


ROUTES = [
    shown("/logout", ask),
    sent("/logout", leave),
    shown("/logout/done", done),
    Route("/oauth2/logout", relying_party, methods=["GET", "POST"]),
]
