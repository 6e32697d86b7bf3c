"""The JSON API: two FastAPI applications, one for the hosts of applications and one for the
Dashboard's host, each with its own OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from common.field_errors import field_errors
from common.problems import Invalid, NotFound, Problem
from gateway.api.openapi import describe
from gateway.api.route_sets import ROUTE_SETS
from gateway.http.contract_errors import problem_of
from gateway.http.request import GatewayRequest
from gateway.http.response import MethodNotAllowed
from gateway.pages.errors import page_or_problem
from gateway.routing import API, IN_APPLICATION, HostKind

NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans have paths and queries, and it asks for a provider at every request. GatewayApp makes
the span of a request."""


@cache
def json_api(*, dashboard: bool) -> FastAPI:
    """Returns the API of one kind of host.

    It has no state of a gateway: each request brings the gateway in its scope. It is built once in a
    process, because FastAPI analyses 380 functions for it.
    """
    app = FastAPI(
        title="Aero2 Dashboard" if dashboard else "Aero2",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # gateway/api/reference.py serves it compressed
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        generate_unique_id_function=_operation_id,
    )
    for routes in ROUTE_SETS:
        if routes.router is None:
            continue
        if dashboard or routes.host is not HostKind.DASHBOARD:
            app.include_router(routes.router, prefix=API)
        if dashboard and routes.in_applications:
            app.include_router(
                routes.router,
                prefix=IN_APPLICATION,
                generate_unique_id_function=_operation_id_in_application,
            )
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(ValidationError, _invalid_contract)
    app.add_exception_handler(HTTPException, _routing_error)
    app.add_exception_handler(Exception, _server_error)
    describe(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """Returns the id of an operation. One function may serve PUT and PATCH; each is an operation."""
    tag = str((route.tags or ["api"])[0]).replace(" ", "_")
    return f"{tag}_{route.name}_patch" if route.methods == {"PATCH"} else f"{tag}_{route.name}"


def _operation_id_in_application(route: APIRoute) -> str:
    return f"application_{_operation_id(route)}"


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    gateway_request: GatewayRequest = request.scope["gateway_request"]
    gateway_request.state.log_facts["outcome"] = error.code
    if error.status >= 500:
        gateway_request.state.log_facts["detail"] = error.detail
    rendered = page_or_problem(request.scope["gateway"], gateway_request, error)
    response = Response(rendered.body, rendered.status)
    response.raw_headers.extend(rendered.headers)
    return response


async def _server_error(request: Request, error: Exception) -> Response:
    """Answers a bare 500. GatewayApp logs the error, because Starlette raises it again."""
    return await _problem(request, Problem())


async def _invalid_request(request: Request, error: Exception) -> Response:
    """Names the fields. FastAPI's own response would repeat the input, including passwords."""
    assert isinstance(error, RequestValidationError)
    places = ("query", "path", "header", "cookie")
    errors = [
        {**one, "loc": one["loc"][1:] if one["loc"][0] in places else one["loc"]}
        for one in error.errors()
    ]
    return await _problem(request, Invalid(errors=field_errors(errors)))


async def _invalid_contract(request: Request, error: Exception) -> Response:
    """Names the fields of a contract that the path or the body does not fit."""
    assert isinstance(error, ValidationError)
    return await _problem(request, problem_of(error))


async def _routing_error(request: Request, error: Exception) -> Response:
    """Answers what FastAPI's router raises: an unknown path, or another method."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Problem):  # FastAPI wraps what reading the body raised
        return await _problem(request, error.__cause__)
    if error.status_code == 404:
        where = f"{request.scope['gateway_request'].origin}/docs"
        return await _problem(request, NotFound(f"This path does not exist. See {where}."))
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return await _problem(request, MethodNotAllowed(allow=allow))
    return await _problem(request, Invalid(str(error.detail)))
