"""The first steps of an operator, until the Dashboard has pages of its own."""

from __future__ import annotations

from common.problems import NotFound
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.pages.fields import Fields
from gateway.pages.page_routes import user_page_route
from gateway.pages.render import open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

PATH = "/first-steps"


async def first_steps(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /first-steps, on the Dashboard's host only"""
    if not request.app.is_dashboard:
        raise NotFound
    page = open_page(gateway, request, user)
    page.away = False
    return page.show("first_steps.html", url=request.origin)


routes = RouteSet((user_page_route(PATH, first_steps),))
