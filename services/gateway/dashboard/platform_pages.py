"""The frame of the pages for operators. For everybody else these pages do not exist."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps

from common import freshness
from common.operator_rules import OPERATES
from common.problems import NotFound
from gateway.dashboard.page_routes import DashboardHandler, dashboard_form, dashboard_page
from gateway.dashboard.rooms import platform_rooms_of
from gateway.dashboard.visit import PLATFORM, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.routing import Route, RouteSet


def platform_page(
    path: str,
    handler: DashboardHandler,
    *,
    needs: str = OPERATES,
    fresh: bool = False,
    is_use: bool = True,
) -> Route:
    """Returns the route of a page below PLATFORM for those who have the permission `needs` in the
    Dashboard. `fresh`: they confirm that it is them before they see it. `is_use`: the request counts as
    use of the session, unlike one that the page makes by itself."""
    framed = _for_operators(handler, needs, fresh=fresh)
    return dashboard_page(f"{PLATFORM}{path}", framed, is_use=is_use)


def platform_form(
    path: str,
    handler: DashboardHandler,
    *,
    page_path: str | None = None,
    needs: str = OPERATES,
    fresh: bool = False,
) -> Route:
    """Returns the route of a form of such a page. `page_path` follows PLATFORM, as `path` does."""
    shown = None if page_path is None else f"{PLATFORM}{page_path}"
    framed = _for_operators(handler, needs, fresh=fresh)
    return dashboard_form(f"{PLATFORM}{path}", framed, page_path=shown)


def for_operators(visit: Visit, needs: str = OPERATES) -> Visit:
    """Returns the request as one for a page of the platform. Raises Forbidden without the permission,
    SecondFactorNeeded for an operator who has to show one first."""
    visit.team_ctx.allow(needs)
    return replace(visit, of_platform=True)


def _for_operators(handler: DashboardHandler, needs: str, *, fresh: bool) -> DashboardHandler:
    @wraps(handler)
    async def framed(visit: Visit) -> GatewayResponse:
        visit = for_operators(visit, needs)
        if fresh:
            freshness.check(visit.user.caller)
        return await handler(visit)

    return framed


async def to_first_room(visit: Visit) -> GatewayResponse:
    """GET /dashboard/platform"""
    groups = platform_rooms_of(visit.user.caller)
    if not groups:
        raise NotFound
    return redirect(f"{PLATFORM}{groups[0].rooms[0].path}")


routes = RouteSet((dashboard_page(PLATFORM, to_first_room),))
