"""Routes of the Dashboard's pages and forms: the frame around each handler reads the fields, finds the
developer and the application of the path, and shows what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final
from urllib.parse import quote, urlsplit

from pydantic import ValidationError

from common import freshness
from common.cursors import BadCursor
from common.problems import Forbidden, Invalid, NotFound
from gateway.auth.cache import session_by_token, session_without_use
from gateway.auth.caller import signed_in_user
from gateway.auth.managed_application import ManagedApplication, managed_application
from gateway.dashboard.visit import HTMX, Visit
from gateway.http import csrf
from gateway.http.compression import packed_page
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.changed_session import changed_session
from gateway.pages.fields import FormReader, at, local, read_form, read_query
from gateway.pages.page_routes import answer_user, checked_form
from gateway.pages.render import open_page
from gateway.routing import ErrorStyle, HostKind, Route, path_parameters
from gateway.state import Gateway, SignedInUser

DashboardHandler = Callable[[Visit], Awaitable[GatewayResponse]]
"""Handles a page or a form of the Dashboard."""
Endpoint = Callable[[Gateway, GatewayRequest], Awaitable[GatewayResponse]]
REDIRECT: Final = 303
CURRENT_URL: Final = b"hx-current-url"
CURSORS: Final = ("cursor", "after")
"""Parameters of a page that hold the place in a list."""


def dashboard_page(
    path: str, handler: DashboardHandler, *, fresh: bool = False, is_use: bool = True
) -> Route:
    """Returns the route of a page. Everybody who is not signed in is sent to sign in. `fresh`: developers
    confirm that it is them before they fill in the form, not after. `is_use`: the request counts as use
    of the session, unlike one that an open page makes by itself."""
    find = session_by_token if is_use else session_without_use

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        fields = read_query(request)

        async def answer(user: SignedInUser) -> GatewayResponse:
            if fresh:
                freshness.check(user.caller)
            parameters = path_parameters(path, request.path) or {}
            visit = Visit(gateway, request, user, fields, parameters)
            try:
                return await _answer(visit, handler)
            except BadCursor:
                return _first_page(visit, _address(path, parameters))

        return await answer_user(
            gateway, request, await signed_in_user(gateway, request, find), answer
        )

    return _route("GET", path, endpoint)


def dashboard_form(
    path: str,
    handler: DashboardHandler,
    *,
    page_path: str | None = None,
    read: FormReader = read_form,
    is_use: bool = True,
) -> Route:
    """Returns the route of a form. It acts only in the session in which it was shown. `page_path` is the
    template of the page with the form, if it is not `path`. `read` reads the fields of the body. If it is
    no use, the page sends it by itself: the session counts as idle."""
    find_session = session_by_token if is_use else session_without_use

    @wraps(handler)
    async def endpoint(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        parameters = path_parameters(path, request.path) or {}
        here = _address(page_path or path, parameters)
        fields = await checked_form(gateway, request, here, read)
        user = await signed_in_user(gateway, request, find_session)
        if user and not csrf.is_form_of_session(gateway.settings, fields.get("csrf"), user.session):
            return changed_session(open_page(gateway, request, user), fields, here)

        async def answer(user: SignedInUser) -> GatewayResponse:
            visit = Visit(gateway, request, user, fields, parameters)
            return await _answer(visit, handler)

        return await answer_user(gateway, request, user, answer)

    return _route("POST", path, endpoint)


def _address(template: str, parameters: dict[str, str]) -> str:
    """Returns the path of a template with its parameters."""
    names = (part[1:-1] if part.startswith("{") else None for part in template.split("/"))
    parts = zip(names, template.split("/"), strict=True)
    return "/".join(quote(parameters[name]) if name else part for name, part in parts)


def _route(method: str, path: str, endpoint: Endpoint) -> Route:
    @wraps(endpoint)
    async def framed(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
        response = await endpoint(gateway, request)
        is_redirect = response.status == REDIRECT and HTMX in request.headers
        if is_redirect:
            return _redirect_of_htmx(request, response)
        return packed_page(request, response)

    return Route(HostKind.DASHBOARD, method, path, framed, ErrorStyle.PAGE)


def _redirect_of_htmx(request: GatewayRequest, response: GatewayResponse) -> GatewayResponse:
    """Returns the redirect as htmx follows it: with a load of the whole page. A fetch would put the other
    page into this one. After signing in, the developer comes back to the page that they see."""
    headers = dict(response.headers)
    location = headers.pop(b"location").decode("latin-1")
    path = location.partition("?")[0]
    if path in ("/login", "/accounts", "/login/confirm", "/login/step-up"):
        shown = urlsplit(request.header(CURRENT_URL) or "")
        back = local(f"{shown.path}?{shown.query}" if shown.query else shown.path, "/dashboard")
        location = at(path, return_to=back)
    others = [(name, value) for name, value in response.headers if name != b"location"]
    return GatewayResponse(204, b"", [*others, (b"hx-redirect", location.encode("latin-1"))])


async def _answer(visit: Visit, handler: DashboardHandler) -> GatewayResponse:
    """Lets the handler answer, with the application of the path. A page that the
    developer may not see is as if it did not exist. Raises BadCursor."""
    try:
        if "slug" in visit.parameters:
            visit = visit.in_application(await _application(visit))
        return await handler(visit)
    except (NotFound, Forbidden, ValidationError) as error:
        if isinstance(error, Forbidden) and not _hides(error):
            raise
        if isinstance(error, ValidationError) and _is_of_cursor(error):
            raise BadCursor from None
        return _not_here(visit)


def _is_of_cursor(error: ValidationError) -> bool:
    """Returns whether a list cannot be called because of the text of its cursor alone."""
    return {one["loc"] for one in error.errors(include_input=False)} == {("cursor",)}


def _first_page(visit: Visit, here: str) -> GatewayResponse:
    """Returns the redirect to the first page of the list at `here`. The filters stay. Raises BadCursor if
    the address has no cursor, so that no redirect leads to itself."""
    others = {name: value for name, value in visit.fields.items() if name not in CURSORS}
    if len(others) == len(visit.fields):
        raise BadCursor
    return redirect(at(here, **others))


def _hides(error: Forbidden) -> bool:
    """Returns whether a refusal is about rights, so that the page is as if it did not exist. Others say
    what is missing, like a fresh sign-in."""
    return error.code == Forbidden.code


async def _application(visit: Visit) -> ManagedApplication:
    slug = visit.parameters["slug"]
    try:
        return await managed_application(visit.gateway, visit.request, visit.team_ctx, slug)
    except Invalid:  # not even the text of a slug
        raise NotFound from None


def _not_here(visit: Visit) -> GatewayResponse:
    if visit.partial:
        return visit.show("part_error.html", 404)
    return visit.show("not_found.html", 404)
