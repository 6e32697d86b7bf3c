"""How problems are shown, by the style of the route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import (
    GatewayResponse,
    bearer_error,
    oauth_error,
    problem_response,
)
from gateway.pages.errors import page_or_problem
from gateway.routing import ErrorStyle
from gateway.state import Gateway

RENDERERS: Final[
    dict[ErrorStyle, Callable[[Gateway, GatewayRequest, Problem], GatewayResponse]]
] = {
    ErrorStyle.PAGE: page_or_problem,
    ErrorStyle.PROBLEM: lambda _, request, error: problem_response(error, request),
    ErrorStyle.OAUTH: lambda _, __, error: oauth_error(error),
    ErrorStyle.BEARER: lambda _, __, error: bearer_error(error),
}
