"""The frame of every page handler: who is there, the form checked, problems shown as pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.contracts.sessions import FreshSignInNeeded
from common.problems import Unauthenticated
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_of
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.pages import challenge
from gateway.pages import changed_session as moved
from gateway.pages.fields import Fields, at, form, query
from gateway.pages.render import go
from gateway.state import Signed

Handler = Callable[[GatewayRequest, Fields], Awaitable[Response]]
"""Of a page anybody may see; the fields are the query's or the form's."""
OwnHandler = Callable[[GatewayRequest, Fields, Signed], Awaitable[Response]]
"""Of a page for whoever is signed in."""
SHOWN: set[str] = set()
"""The paths that answer to GET."""
OWN_FORMS: set[str] = set()
"""The paths of forms that act on the session."""


def shown(path: str, handler: Handler, *, guarded: bool = False) -> Route:
    """GET. Changes nothing. `guarded`: its forms may have to bring a captcha or a proof of work."""

    async def endpoint(request: Request) -> Response:
        visit: GatewayRequest = request.scope["visit"]
        if guarded:
            await challenge.prepare(visit)
        return await handler(visit, query(visit))

    SHOWN.add(path)
    return Route(path, endpoint, methods=["GET"], name=path)


def sent(path: str, handler: Handler, *, guarded: bool = False) -> Route:
    """POST of a form of ours. Raises CrossSite for any other. What `own` handles is done only in
    the session that the form was shown in."""

    async def endpoint(request: Request) -> Response:
        visit: GatewayRequest = request.scope["visit"]
        fields = await form(visit)
        csrf.check_form(visit, fields.get("csrf"))
        if path in OWN_FORMS:
            signed = await session_of(visit)
            if signed and not csrf.is_of_session(visit, fields.get("csrf"), signed):
                return moved.changed_session(visit, fields, signed, _page_of(path))
        if guarded:
            await challenge.prepare(visit)
        return await handler(visit, fields)

    if getattr(handler, "own", False):
        OWN_FORMS.add(path)
    return Route(path, endpoint, methods=["POST"], name=path)


def _page_of(path: str) -> str:
    """The page that a form posted to `path` stands on."""
    while path and path not in SHOWN:
        path = path.rpartition("/")[0]
    return path or "/account"


def own(handler: OwnHandler) -> Handler:
    """Sends to the sign-in page whoever is not signed in, or not freshly enough for this."""

    async def guarded(visit: GatewayRequest, fields: Fields) -> Response:
        back = visit.path
        if visit.method == "GET" and visit.scope["query_string"]:
            back += "?" + visit.scope["query_string"].decode("latin-1")
        signed = await session_of(visit)
        if signed is None:
            accounts = await browser.others(visit, None)
            return go(at("/accounts" if accounts else "/login", return_to=back))
        try:
            return await handler(visit, fields, signed)
        except FreshSignInNeeded:
            return go(at("/login/confirm", return_to=back))
        except Unauthenticated:  # ended since the cache heard of it
            return go(at("/login", return_to=back))

    guarded.own = True  # type: ignore[attr-defined]
    return guarded
