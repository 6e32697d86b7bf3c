"""The value that GET returns at the path that a call changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts

from common.problems import Forbidden

_READERS: Final[dict[Callable[..., Any], APIRoute | None]] = {}
"""The GET route beside each endpoint, filled when it is first needed."""


async def current_value(route: APIRoute, request: Request) -> dict[str, Any]:
    """Reads the object as the same caller. Returns an empty dict if it has no GET route, or if the
    caller may not read it. Raises what GET would raise for an object that does not exist."""
    reader = reader_of(route, request)
    if reader is None:
        return {}
    scope = {**request.scope, "method": "GET", "route": reader, "endpoint": reader.endpoint}
    try:
        answer = await reader.get_route_handler()(Request(scope, request.receive))
    except Forbidden:
        return {}
    value = orjson.loads(answer.body)
    return value if isinstance(value, dict) else {}


def reader_of(route: APIRoute, request: Request) -> APIRoute | None:
    """Returns the GET route at the path of this one."""
    if route.endpoint not in _READERS:
        _READERS[route.endpoint] = _reader(route, request)
    return _READERS[route.endpoint]


def _reader(route: APIRoute, request: Request) -> APIRoute | None:
    for context in iter_route_contexts(request.app.routes):
        other = context.original_route
        if isinstance(other, APIRoute) and other.path == route.path and other.methods == {"GET"}:
            return other
    return None
