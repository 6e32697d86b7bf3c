"""The logout endpoint, to which clients send the browser (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from common.contracts.authorization import Params
from common.contracts.logout import LoggedOut, LogOut
from gateway.auth import browser_sessions
from gateway.auth.caller import user_even_without_rights
from gateway.http import csrf, forms
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import errors
from gateway.pages.changed_session import changed_session
from gateway.pages.fields import Fields
from gateway.pages.logout import confirmation, signed_out_page
from gateway.pages.render import PageView, open_page
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway, SignedInUser

PATH: Final = "/oauth2/logout"
MAX_ADDRESS: Final = 6000
"""Bytes of parameters that fit into an address."""
REPOSTED: Final = "aero2_again"
"""A field of the form that a hosted page posts for the client."""


async def log_out(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET or POST /oauth2/logout (section 2). The user's answer to the confirmation has a form token.
    A request of a client has none."""
    params = forms.query(request) if request.method == "GET" else await forms.form(request)
    fields = Fields(reversed(params))
    token = fields.get("csrf")
    confirmed = request.method == "POST" and token is not None
    if confirmed:
        csrf.check_form(gateway.settings, request, token)
    elif (
        request.method == "POST"
        and not browser_sessions.has_session_cookie(gateway, request)
        and REPOSTED not in fields
    ):
        return _repost(gateway, request, params)
    user = await user_even_without_rights(gateway, request)
    if confirmed and user and not csrf.is_form_of_session(gateway.settings, token, user.session):
        return changed_session(open_page(gateway, request, user), Fields(), "/logout")
    call = LogOut(
        params=[] if confirmed else [(name, value) for name, value in params if name != REPOSTED],
        session=browser_sessions.session_facts(user),
        others=await browser_sessions.other_session_facts(gateway, request, user),
        confirmed=confirmed,
        request=fields.text_or_none("request") if confirmed else None,
    )
    logged_out = await gateway.bus.call(request.context(), call)
    return await _follow(open_page(gateway, request, user, away=True), user, logged_out)


def _repost(gateway: Gateway, request: GatewayRequest, params: Params) -> GatewayResponse:
    """With a form of another site, the browser sends no cookies (SameSite=Lax). It sends them after a
    redirect or, with parameters too long for an address, when a page of this host posts them."""
    query = urlencode(params)
    if len(query) <= MAX_ADDRESS:
        return redirect(f"{PATH}?{query}")
    page = open_page(gateway, request, away=True)
    fields = [*params, (REPOSTED, "1")]
    return page.show("post.html", action=PATH, fields=fields, client=page.app.name)


async def _follow(
    page: PageView, user: SignedInUser | None, logged_out: LoggedOut
) -> GatewayResponse:
    """Does what the logout endpoint decided."""
    if logged_out.kind == "error":
        return errors.logout_refused(page, logged_out.error, logged_out.error_description)
    if logged_out.kind == "confirm" and user is not None:
        carried = {"request": logged_out.request}
        return confirmation(page, PATH, carried, logged_out.client_name)
    gateway, request = page.gateway, page.request
    if logged_out.session_id is not None:
        await browser_sessions.end_session(gateway, request, logged_out.session_id)
    if logged_out.kind == "redirect" and logged_out.location and not logged_out.frontchannel:
        return redirect(logged_out.location)
    anonymous = PageView(gateway, request, None, page.language, away=True)
    onward = logged_out.location if logged_out.kind == "redirect" else None
    return await signed_out_page(anonymous, logged_out.frontchannel, onward)


routes = RouteSet(
    tuple(
        Route(HostKind.APPLICATION, method, PATH, log_out, ErrorStyle.PAGE)
        for method in ("GET", "POST")
    )
)
