"""Hosted pages: what people see. Page handlers make the same bus calls as the JSON API.

Each module of this package has `ROUTES`, Starlette routes whose endpoints take a Request; the
GatewayRequest is in `request.scope["visit"]`. `DASHBOARD_ONLY` restricts a module to the dashboard's host;
`OF_THE_APP` says that its pages need the framework's app.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Route

from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.pages import errors


def _modules() -> list[ModuleType]:
    names = [f"{__name__}.{info.name}" for info in pkgutil.iter_modules(__path__)]
    names += ["gateway.api.reference", "gateway.oauth.authorize"]
    return [importlib.import_module(name) for name in sorted(names)]


def mount(app: FastAPI, *, dashboard: bool) -> None:
    """Add every page that this kind of host serves."""
    for module in _modules():
        if dashboard or not getattr(module, "DASHBOARD_ONLY", False):
            app.router.routes.extend(getattr(module, "ROUTES", ()))


def everywhere() -> Iterator[Route]:
    """The pages of every host that have nothing in their path to take apart: the edge calls them."""
    for module in _modules():
        if not (getattr(module, "DASHBOARD_ONLY", False) or getattr(module, "OF_THE_APP", False)):
            yield from (page for page in getattr(module, "ROUTES", ()) if "{" not in page.path)


def wanted(visit: GatewayRequest) -> bool:
    """Whether a person is looking: a browser asked for HTML, and not of the API."""
    accept = visit.header(b"accept") or ""
    if visit.path.startswith("/api/") or visit.host == f"api.{visit.gateway.settings.domain}":
        return False
    return "text/html" in accept


def problem(visit: GatewayRequest, error: Problem) -> Response:
    """An error as a page."""
    return errors.problem(visit, error)
