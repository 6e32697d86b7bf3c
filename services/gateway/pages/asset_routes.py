"""Stylesheets, scripts, icons and the colours of applications."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http import response as answers
from gateway.pages import app_icon, assets


async def file(request: Request) -> Response:
    """GET /static/<name>"""
    return answers.response(await assets.serve(request.scope["visit"]))


async def colors(request: Request) -> Response:
    """GET /brand/<six hex digits>.css"""
    return answers.response(await assets.serve_brand(request.scope["visit"]))


async def icon(request: Request) -> Response:
    """GET /brand/<six hex digits>.svg"""
    return answers.response(await app_icon.serve(request.scope["visit"]))


ROUTES = [
    Route("/static/{name}", file),
    Route("/brand/{color}.svg", icon),
    Route("/brand/{name}", colors),
]
