"""Stylesheets, scripts, icons and the colours of applications."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import assets
from gateway.answers import Answer


def _response(answer: Answer) -> Response:
    made = Response(answer.body, answer.status)
    made.raw_headers.extend(answer.headers)
    return made


async def file(request: Request) -> Response:
    """GET /static/<name>"""
    return _response(await assets.serve(request.scope["visit"]))


async def colors(request: Request) -> Response:
    """GET /brand/<six hex digits>.css"""
    return _response(await assets.serve_brand(request.scope["visit"]))


ROUTES = [Route("/static/{name}", file), Route("/brand/{name}", colors)]
