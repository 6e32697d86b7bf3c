"""The icon of an application that has none of its own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import app_icon


async def icon(request: Request) -> Response:
    """GET /brand/<six hex digits>.svg"""
    answer = await app_icon.serve(request.scope["visit"])
    response = Response(answer.body, answer.status)
    response.raw_headers.extend(answer.headers)
    return response


ROUTES = [Route("/brand/{color}.svg", icon)]
