"""Several accounts in one browser: which one is active."""

from __future__ import annotations

from starlette.responses import Response

from common.problems import BadRequest
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_of
from gateway.http.request import GatewayRequest
from gateway.pages import errors, flow_cookie
from gateway.pages.endpoint import sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.render import go, open_page
from gateway.pages.sign_in import carried, destination


async def show(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /accounts"""
    if (over := await errors.sign_in_over(visit, fields.given("request"))) is not None:
        return over
    people = [signed.session for signed in await browser.accounts(visit)]
    if not people:
        return go(at("/login", **carried(fields)))
    page = open_page(visit, await session_of(visit))
    return page.show(
        "accounts.html",
        carried=carried(fields),
        people=people,
        client=flow_cookie.read(visit).client_of(fields),
        add=at("/login", add="1", **carried(fields)),
    )


async def choose(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /accounts"""
    if not await browser.switch(visit, fields.text("session")):
        raise BadRequest("this account is not signed in in this browser")
    if pending := fields.given("request"):
        return go(at("/oauth2/authorize/resume", request=pending, selected="1"))
    return go(destination(fields))


ROUTES = [shown("/accounts", show), sent("/accounts", choose)]
