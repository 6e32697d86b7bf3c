"""Every page of the Dashboard, from the route table, in an application that is full of things."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from tests.kit.developers import ORIGIN, Developers, developers
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.filled_contracts import FIRST_ID, filled, filled_world

from common.contracts.base import Contract, Request
from common.contracts.clients import Client, GetClient
from common.contracts.mail_templates import ListTemplates, Template, Templates
from common.contracts.tenants import ManageApplication
from common.contracts.user_batches import BatchResults, ListUserBatchResults
from gateway.build import build
from gateway.dashboard.mail_names import MAIL_NAMES
from gateway.dashboard.route_sets import ROUTE_SETS
from gateway.routing import HostKind
from gateway.state import Gateway

STREAMS: Final = ("/live",)
"""Ends of paths with live events. They are no pages."""
ELSEWHERE: Final = {
    "/dashboard/applications",
    "/dashboard/platform",
    "/dashboard/platform/health/figures",
    "/dashboard/applications/{slug}/users/batches/{batch_id}/state",
}
"""Paths that lead to another page, and a part that htmx loads."""
PARAMETERS: Final = {
    "slug": "shop",
    "kind": "invitation",
    "locale": "en",
    "provider": "github",
    "permission_id": "reports:read",
    "role_id": "editor",
}
"""Parts of paths that are no ids."""
LOADED: Final = re.compile(r'(?:href|src)="(/(?:static|brand)/[^"#]+)')
BROWSER: Final = {"accept-encoding": "gzip", "sec-fetch-site": "same-origin"}
OK: Final = 200


@dataclass(frozen=True)
class DashboardPage:
    """A page: the template of its path, and its path in the full application."""

    template: str
    path: str


def pages() -> list[DashboardPage]:
    """Returns every page of the route table."""
    templates = {
        route.path
        for routes in ROUTE_SETS
        for route in routes.routes
        if route.host is HostKind.DASHBOARD
        and route.method == "GET"
        and not route.path.endswith(STREAMS)
    }
    return [DashboardPage(each, _path(each)) for each in sorted(templates)]


def shown_pages() -> list[DashboardPage]:
    """Returns the pages without the paths that only lead to another page."""
    return [page for page in pages() if page.template not in ELSEWHERE]


def _path(template: str) -> str:
    parts = (
        PARAMETERS.get(part[1:-1], FIRST_ID) if part.startswith("{") else part
        for part in template.split("/")
    )
    return "/".join(parts)


@dataclass(frozen=True)
class Weight:
    """Bytes of a page: its HTML, the same as it is sent, and the files that it loads as they are sent."""

    html: int
    sent: int
    files: int


async def transferred(http: httpx.AsyncClient, path: str) -> Weight:
    """Returns what a browser with an empty cache transfers for a page, without pictures of tenants."""
    page = await http.get(path, headers=BROWSER)
    loaded = [
        await http.get(url, headers=BROWSER) for url in sorted(set(LOADED.findall(page.text)))
    ]
    assert [file.url for file in loaded if file.status_code != OK] == []
    sent, *files = (int(each.headers["content-length"]) for each in (page, *loaded))
    return Weight(len(page.content), sent, sum(files))


def _client_with_secret() -> Client:
    return filled(Client).model_copy(update={"token_endpoint_auth_method": "client_secret_basic"})


def _every_mail() -> Templates:
    mail = filled(Template)
    return Templates(templates=[mail.model_copy(update={"kind": kind}) for kind in MAIL_NAMES])


def _refused_rows() -> BatchResults:
    results = filled(BatchResults).results
    return BatchResults(results=[one.model_copy(update={"status": "refused"}) for one in results])


def full_dashboard() -> FakeServices:
    """Returns fake services with a developer, signed in by the cookie `t_dev`, who may do everything in an
    application where every list is full."""
    own: dict[type[Request[Any]], Contract] = {
        GetClient: _client_with_secret(),
        ListTemplates: _every_mail(),
        ListUserBatchResults: _refused_rows(),
    }
    world = serve(filled_world(own))
    people: Developers = developers(world, "*")
    people.managed["shop"] = world.add("shop")
    people.managed["dashboard"] = next(one for one in world.tenants.values() if one.is_dashboard)
    people.permissions = ["*"]
    handlers = world.bus.handlers
    for contract in [each for each, (_, deps) in handlers.items() if deps is people]:
        if contract is not ManageApplication:
            del handlers[contract]
    return world


@asynccontextmanager
async def browsing(full: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    """Yields a browser that is signed in at a gateway with these services."""
    transport = httpx.ASGITransport(app=build(Gateway(settings(), full.bus)))  # type: ignore[arg-type]
    headers = {"accept": "text/html", "cookie": "aero2_session=t_dev"}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        yield client
