"""The live parts of pages: events of an application as HTML, which htmx puts into the page.

The stream never redirects and never refuses: htmx would put a sign-in page into the list, or ask again
for ever. It ends with a note and the event `end`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from pydantic import ValidationError

from common.contracts.audit_log import FollowAudit
from common.problems import BadRequest, Busy, NotFound, Problem, Unauthenticated, Unavailable
from gateway.audit_followers import Place
from gateway.audit_tail import Places, Tail
from gateway.auth.cache import session_without_use
from gateway.auth.caller import signed_in_user
from gateway.auth.managed_application import managed_application
from gateway.dashboard.live_html import HtmlEvents
from gateway.dashboard.platform_pages import for_operators
from gateway.dashboard.visit import APPLICATIONS, PLATFORM, Visit
from gateway.http.request import GatewayRequest
from gateway.http.response import NO_STORE, GatewayResponse
from gateway.pages.fields import read_query
from gateway.pages.render import open_page
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet, path_parameters
from gateway.state import Gateway

PATH: Final = f"{APPLICATIONS}/{{slug}}/live"
PLATFORM_PATH: Final = f"{PLATFORM}/live"
PER_SESSION: Final = 4
"""Streams at once. Browsers open six connections to a host, and pages need the others."""
STREAM_HEADERS: Final = [
    NO_STORE,
    (b"content-type", b"text/event-stream"),
    (b"x-accel-buffering", b"no"),
]
LAST_ID: Final = b"last-event-id"
MAX_ID: Final = 100


async def stream(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET …/live: sends new events until the developer leaves, or may not follow them any longer. The
    first check is part of the request, so it counts against the limits of their network and has a slot.
    """
    try:
        visit = await open_visit(gateway, request)
    except Problem as problem:
        return GatewayResponse(200, _end(gateway, request, problem), list(STREAM_HEADERS))
    return GatewayResponse(200, b"", list(STREAM_HEADERS), _pieces(visit))


def _end(gateway: Gateway, request: GatewayRequest, problem: Problem) -> bytes:
    return HtmlEvents(open_page(gateway, request), None).end(problem)


async def open_visit(gateway: Gateway, request: GatewayRequest) -> Visit:
    """Returns the visit of a developer who may follow the log of the application, or of the Dashboard
    itself, now. The check is no use of their session. Raises a Problem."""
    user = await signed_in_user(gateway, request, session_without_use)
    if user is None:
        raise Unauthenticated
    parameters = path_parameters(PATH, request.path) or {}
    visit = Visit(gateway, request, user, read_query(request), parameters)
    if request.path == PLATFORM_PATH:
        visit = for_operators(visit)
    else:
        visit = await _in_application(visit)
    await visit.call(FollowAudit())
    return visit


async def _in_application(visit: Visit) -> Visit:
    slug = visit.parameters.get("slug", "")
    try:
        application = await managed_application(visit.gateway, visit.request, visit.team_ctx, slug)
    except ValidationError:
        raise NotFound from None
    return visit.in_application(application)


async def _pieces(visit: Visit) -> AsyncGenerator[bytes, None]:
    gateway = visit.gateway
    try:
        with gateway.followers.one_of(visit.user.session.id, PER_SESSION):
            async with aclosing(_events(visit)) as events:
                async for piece in events:
                    yield piece
    except Problem as problem:
        yield _end(gateway, visit.request, problem)


async def _events(visit: Visit) -> AsyncGenerator[bytes, None]:
    """Yields the events of the application, from the last one that the browser has. Raises Busy,
    Unavailable."""
    gateway, request = visit.gateway, visit.request
    links = gateway.links
    if links is None:
        raise Unavailable("this server has no event stream", retry_after=60)
    writer = HtmlEvents(visit.open(), visit)

    async def allowed() -> None:
        writer.visit = await open_visit(gateway, request)

    session = visit.user.session
    tail = Tail(
        links.nc,
        links.js,
        Places(gateway.settings.keys),
        gateway.followers,
        visit.ctx.app_id,
        allowed,
        frozenset((session.id, session.user_id)),
        writer,
    )
    async with aclosing(tail.events(await _start(tail, request))) as events:
        async for piece in events:
            yield piece
            if writer.is_full:
                raise Busy


async def _start(tail: Tail, request: GatewayRequest) -> Place:
    """Returns the place after the last event that the browser has. An id that is not ours counts as
    none."""
    last = request.header(LAST_ID)
    try:
        return await tail.start(last if last and len(last) <= MAX_ID else None)
    except BadRequest:
        return await tail.start(None)


routes = RouteSet(
    tuple(
        Route(HostKind.DASHBOARD, "GET", path, stream, ErrorStyle.PAGE)
        for path in (PATH, PLATFORM_PATH)
    )
)
