"""Routes of pages and forms: the frame around each handler reads the form, checks where it comes from,
and finds the signed-in user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from common import freshness, logs
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.step_up import SecondFactorNeeded
from common.problems import Problem, Unauthenticated
from gateway.auth import browser_sessions
from gateway.auth.caller import signed_in_user, user_even_without_rights
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import challenge, provider_buttons
from gateway.pages.changed_session import changed_session
from gateway.pages.fields import Fields, FormReader, at, read_form, read_query
from gateway.pages.render import open_page
from gateway.routing import ErrorStyle, Handler, HostKind, Route
from gateway.state import Gateway, SignedInUser

log = logs.get(__name__)

CARRIED: Final = ("request", "return_to", "way", "token", "org_id")
"""Fields that a form carries from page to page."""
MAX_CARRIED: Final = 2000
"""Characters of such a field that an address repeats."""

PageHandler = Callable[[Gateway, GatewayRequest, Fields], Awaitable[GatewayResponse]]
"""Handles a page for everybody. The fields are those of the query or of the form."""
UserPageHandler = Callable[
    [Gateway, GatewayRequest, Fields, SignedInUser], Awaitable[GatewayResponse]
]
"""Handles a page for the signed-in user."""


def page_route(path: str, handler: PageHandler, *, challenged: bool = False) -> Route:
    """Returns the route of a page, which changes nothing. `challenged`: its forms may need a captcha
    or a proof of work, and it may have buttons of identity providers."""

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        if challenged:
            await challenge.prepare(gateway, request)
            await provider_buttons.prepare(gateway, request)
        return await handler(gateway, request, read_query(request))

    return _route("GET", path, endpoint)


def form_route(
    path: str, handler: PageHandler, *, page_path: str | None = None, challenged: bool = False
) -> Route:
    """Returns the route of a form. It raises CrossSite for a form that this application did not show
    to this browser. `page_path` is the page with the form, if its path is not `path`."""

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        fields = await checked_form(gateway, request, page_path or path)
        if challenged:
            await challenge.prepare(gateway, request)
            await provider_buttons.prepare(gateway, request)
        return await handler(gateway, request, fields)

    return _route("POST", path, endpoint)


def user_page_route(
    path: str, handler: UserPageHandler, *, fresh: bool = False, challenged: bool = False
) -> Route:
    """Returns the route of a page for the signed-in user. Everybody else is sent to sign in. `fresh`:
    the user confirms that it is them before they fill in the form, not after. `challenged`: its forms
    may need a captcha or a proof of work."""

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        if challenged:
            await challenge.prepare(gateway, request)
        fields = read_query(request)
        user = await signed_in_user(gateway, request)

        async def answer(user: SignedInUser) -> GatewayResponse:
            if fresh:
                freshness.check(user.caller)
            return await handler(gateway, request, fields, user)

        return await answer_user(gateway, request, user, answer)

    return _route("GET", path, endpoint)


def user_form_route(
    path: str, handler: UserPageHandler, *, page_path: str | None = None, challenged: bool = False
) -> Route:
    """Returns the route of a form for the signed-in user. It acts only in the session in which the
    form was shown. `page_path` is the page with the form, if its path is not `path`. `challenged` is
    that of its page."""

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        fields = await checked_form(gateway, request, page_path or path)
        if challenged:
            await challenge.prepare(gateway, request)
        user = await signed_in_user(gateway, request)
        token = fields.get("csrf")
        if user and not csrf.is_form_of_session(gateway.settings, token, user.session):
            page = open_page(gateway, request, user)
            return changed_session(page, fields, page_path or path)
        return await answer_user(
            gateway, request, user, lambda u: handler(gateway, request, fields, u)
        )

    return _route("POST", path, endpoint)


def _route(method: str, path: str, handler: Handler) -> Route:
    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        await _find_impersonation(gateway, request)
        return await handler(gateway, request)

    return Route(HostKind.APPLICATION, method, path, endpoint, ErrorStyle.PAGE)


async def _find_impersonation(gateway: Gateway, request: GatewayRequest) -> None:
    """Looks the session up, so that every page says if somebody acts as its user. If nobody can say
    who is signed in, nobody acts."""
    try:
        await user_even_without_rights(gateway, request)
    except Problem as problem:
        log.info("session not found out", code=problem.code)


async def checked_form(
    gateway: Gateway, request: GatewayRequest, page_path: str, read: FormReader = read_form
) -> Fields:
    """Returns the fields of a posted form, which `page_path` shows. Raises CrossSite."""
    fields = await read(request)
    carried = {name: fields.text(name)[:MAX_CARRIED] for name in CARRIED}
    request.state.form_page = at(page_path, **carried)
    csrf.check_form(gateway.settings, request, fields.get("csrf"))
    return fields


async def answer_user(
    gateway: Gateway,
    request: GatewayRequest,
    user: SignedInUser | None,
    answer: Callable[[SignedInUser], Awaitable[GatewayResponse]],
) -> GatewayResponse:
    """Answers the signed-in user. Redirects to the sign-in page if nobody is signed in, and to a
    confirmation if the sign-in is not fresh enough."""
    back = request.state.form_page or request.path
    if request.method == "GET" and request.query:
        back += "?" + request.query.decode("latin-1")
    if user is None:
        others = await browser_sessions.other_accounts(gateway, request, None)
        return redirect(at("/accounts" if others else "/login", return_to=back))
    try:
        return await answer(user)
    except SecondFactorNeeded:
        return redirect(at("/login/step-up", return_to=back))
    except FreshSignInNeeded:
        return redirect(at("/login/confirm", return_to=back))
    except Unauthenticated:  # the session ended after it was cached
        return redirect(at("/login", return_to=back))
