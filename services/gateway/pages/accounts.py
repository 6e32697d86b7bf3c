"""Several accounts in one browser: which one is active."""

from __future__ import annotations

from common.problems import BadRequest
from gateway.auth import browser_sessions
from gateway.auth.caller import signed_in_user
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import errors, flow_cookie
from gateway.pages.fields import Fields, at
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import open_page
from gateway.pages.sign_in import carried, destination
from gateway.routing import RouteSet
from gateway.state import Gateway


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /accounts"""
    if (
        over := await errors.sign_in_over(gateway, request, fields.text_or_none("request"))
    ) is not None:
        return over
    people = [user.session for user in await browser_sessions.accounts(gateway, request)]
    if not people:
        return redirect(at("/login", **carried(fields)))
    page = open_page(gateway, request, await signed_in_user(gateway, request))
    return page.show(
        "accounts.html",
        carried=carried(fields),
        people=people,
        client=flow_cookie.read(request).client_of(fields),
        add=at("/login", add="1", **carried(fields)),
    )


async def choose(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /accounts"""
    if not await browser_sessions.switch(gateway, request, fields.text("session")):
        raise BadRequest("this account is not signed in in this browser")
    if pending := fields.text_or_none("request"):
        return redirect(at("/oauth2/authorize/resume", request=pending, selected="1"))
    return redirect(destination(request.app, fields))


routes = RouteSet(
    (
        page_route("/accounts", show),
        form_route("/accounts", choose),
    )
)
