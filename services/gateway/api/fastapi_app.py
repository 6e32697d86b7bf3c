"""Puts the gateway together: one API for applications' hosts, one for the dashboard's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from common import metrics
from common.contracts.base import CONTRACTS
from common.field_errors import field_errors
from common.problems import Invalid, NotFound, Problem
from gateway import pages
from gateway.api import routes
from gateway.api.openapi import describe
from gateway.app import Asgi, GatewayApp, Hot
from gateway.app import Route as HotRoute
from gateway.http import response as answers
from gateway.http.request import GatewayRequest
from gateway.http.response import Answer, MethodNotAllowed
from gateway.monitoring.internal_listener import Internal
from gateway.state import Gateway

SLUG = "/api/applications/{slug}"
LENGTH = b"content-length"
"""The edge writes it."""


async def nothing() -> None:
    """Where there is nothing to start or stop."""


def build(
    gateway: Gateway,
    start: Callable[[], Awaitable[None]] = nothing,
    stop: Callable[[], Awaitable[None]] = nothing,
) -> GatewayApp:
    """The whole gateway as one ASGI application."""
    application, dashboard = api(dashboard=False), api(dashboard=True)
    edge = GatewayApp(
        gateway=gateway,
        application=_asgi(application),
        dashboard=_asgi(dashboard),
        any_host={},
        hot={},
        pages={},
        prefixes={},
        refuse=_refusal,
        start=start,
        stop=stop,
    )
    for module in routes.modules():
        edge.any_host.update(getattr(module, "ANY_HOST", {}))
        edge.hot.update(getattr(module, "HOT", {}))
        edge.prefixes.update(getattr(module, "PREFIXES", {}))
    for page in pages.everywhere():
        at_once = HotRoute(direct_page(page), _refusal)
        edge.pages.update({(method, page.path): at_once for method in page.methods or ()})
    metrics.maintain(metrics.HTTP, metrics.LIMITED)
    edge.register_metric_paths(_paths())
    return edge


def build_internal(gateway: Gateway) -> Internal:
    """What the internal listener answers."""
    internal = Internal(gateway, {})
    for module in routes.modules():
        internal.routes.update(getattr(module, "INTERNAL", {}))
    return internal


@cache
def api(*, dashboard: bool) -> FastAPI:
    """The routes of one kind of host, with its own OpenAPI document.

    It holds no state of a gateway: each request brings its own in its GatewayRequest. Built once in a
    process, because FastAPI analyses 380 functions for it."""
    app = FastAPI(
        title="Aero2 Dashboard" if dashboard else "Aero2",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # served packed, by `describe`
        redirect_slashes=False,
        generate_unique_id_function=_named,
    )
    for router, module in routes.routers():
        only_dashboard = getattr(module, "DASHBOARD_ONLY", False)
        if dashboard or not only_dashboard:
            app.include_router(router, prefix="/api")
        if dashboard and not only_dashboard and not getattr(module, "OWN_HOST_ONLY", False):
            app.include_router(router, prefix=SLUG, generate_unique_id_function=_in_app)
    pages.mount(app, dashboard=dashboard)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(ValidationError, _mistaken)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)
    describe(app)
    return app


@cache
def _paths() -> frozenset[str]:
    """The paths of all routes, as templates."""
    apps = api(dashboard=False), api(dashboard=True)
    return frozenset(route.path or "" for app in apps for route in iter_route_contexts(app.routes))


def direct_page(page: Route) -> Hot:
    """The page without the framework's way to it, past two hundred patterns and five layers, which
    took longer than making a code."""

    async def answer(visit: GatewayRequest) -> Answer:
        visit.scope |= {"visit": visit, "route": page}
        request = Request(visit.scope, visit.receive)
        try:
            return _answered(await page.endpoint(request))
        except ValidationError as error:
            raise _mistake(error) from None

    return answer


def _named(route: APIRoute) -> str:
    """The operation's id. A function may serve PUT and PATCH alike; each is an operation."""
    tag = str((route.tags or ["api"])[0]).replace(" ", "_")
    return f"{tag}_{route.name}_patch" if route.methods == {"PATCH"} else f"{tag}_{route.name}"


def _in_app(route: APIRoute) -> str:
    return f"application_{_named(route)}"


def _asgi(app: FastAPI) -> Asgi:
    return app  # type: ignore[return-value]


def _refusal(error: Problem, visit: GatewayRequest) -> Answer:
    """A page for a person, else a problem document."""
    if pages.wanted(visit):
        return _answered(pages.problem(visit, error))
    return answers.problem(error, visit)


def _answered(response: Response) -> Answer:
    headers = [(name, value) for name, value in response.raw_headers if name != LENGTH]
    return Answer(response.status_code, bytes(response.body), headers)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    visit: GatewayRequest = request.scope["visit"]
    if error.status >= 500:
        visit.facts["problem"], visit.facts["detail"] = error.code, error.detail
    return answers.response(_refusal(error, visit))


async def _internal(request: Request, error: Exception) -> Response:
    """A bug of ours: a bare 500. The edge logs it, since Starlette raises it again."""
    return await _problem(request, Problem())


async def _malformed(request: Request, error: Exception) -> Response:
    """FastAPI's own answer echoes the input, passwords included: ours names the fields."""
    assert isinstance(error, RequestValidationError)
    places = ("query", "path", "header", "cookie")
    listed = [
        {**one, "loc": one["loc"][1:] if one["loc"][0] in places else one["loc"]}
        for one in error.errors()
    ]
    return await _problem(request, Invalid(errors=field_errors(listed)))


async def _mistaken(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    return await _problem(request, _mistake(error))


def _mistake(error: ValidationError) -> Problem:
    """A question that cannot be put, with what stood in the path. Anything else that does not fit
    its model, an answer above all, is a fault of ours and raised again."""
    if error.title not in {contract.__name__ for contract in CONTRACTS.values()}:
        raise error
    listed = error.errors(include_url=False, include_input=False)
    return Invalid(errors=field_errors(listed))


async def _http(request: Request, error: Exception) -> Response:
    """What the router says: no such path, or not by this method."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Problem):  # FastAPI wraps what reading the body raised
        return await _problem(request, error.__cause__)
    if error.status_code == 404:
        where = f"{request.scope['visit'].origin}/docs"
        return await _problem(request, NotFound(f"This path does not exist. See {where}."))
    if error.status_code == 405:
        return await _problem(
            request, MethodNotAllowed(allow=(error.headers or {}).get("Allow", ""))
        )
    return await _problem(request, Invalid(str(error.detail)))
