"""What an operator does next, until the Dashboard has pages of its own."""

from __future__ import annotations

from starlette.responses import Response

from common.problems import NotFound
from gateway.http.request import GatewayRequest
from gateway.pages.endpoint import own, shown
from gateway.pages.fields import Fields
from gateway.pages.render import open_page
from gateway.state import Signed

PATH = "/first-steps"


async def first_steps(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /first-steps, on the Dashboard's host only"""
    if not visit.app.is_dashboard:
        raise NotFound
    page = open_page(visit, signed)
    page.away = False
    return page.show("first_steps.html", url=visit.origin)


ROUTES = [shown(PATH, own(first_steps))]
