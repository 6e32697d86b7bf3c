"""What GET answers at the place that a call changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts

from common.problems import Forbidden

_READERS: Final[dict[Callable[..., Any], APIRoute | None]] = {}
"""The route of GET beside each endpoint, once somebody needed it."""


async def present_value(route: APIRoute, request: Request) -> dict[str, Any]:
    """Reads it as the same caller. Empty where it cannot be read, or not by this caller; a thing
    that is not there raises what GET would raise."""
    if route.endpoint not in _READERS:
        _READERS[route.endpoint] = _reader(route, request)
    reader = _READERS[route.endpoint]
    if reader is None:
        return {}
    scope = {**request.scope, "method": "GET", "route": reader, "endpoint": reader.endpoint}
    try:
        answer = await reader.get_route_handler()(Request(scope, request.receive))
    except Forbidden:
        return {}
    found = orjson.loads(answer.body)
    return found if isinstance(found, dict) else {}


def _reader(route: APIRoute, request: Request) -> APIRoute | None:
    for context in iter_route_contexts(request.app.routes):
        other = context.original_route
        if isinstance(other, APIRoute) and other.path == route.path and other.methods == {"GET"}:
            return other
    return None
