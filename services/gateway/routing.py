"""The routes of the gateway: each module exports its own as `routes`, and one table has all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fastapi import APIRouter
from fastapi.routing import APIRoute

from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.state import Gateway

Handler = Callable[[Gateway, GatewayRequest], Awaitable[GatewayResponse]]

API: str = "/api"
IN_APPLICATION: str = "/api/applications/{slug}"
"""Where a developer acts in an application of their team, on the Dashboard's host."""


class HostKind(StrEnum):
    """On which hosts a route is served."""

    ANY = "any"
    """Every host name, even one without an application."""
    APPLICATION = "application"
    """The hosts of applications, including the Dashboard's."""
    DASHBOARD = "dashboard"
    """The Dashboard's host alone."""
    INTERNAL = "internal"
    """The internal listener, which has a port of its own."""


class ErrorStyle(StrEnum):
    """How a route shows a Problem."""

    PAGE = "page"
    """As a page if a person asks with a browser, else as a problem document."""
    PROBLEM = "problem"
    """As a problem document (RFC 9457)."""
    OAUTH = "oauth"
    """As an error of RFC 6749 section 5.2."""
    BEARER = "bearer"
    """As a challenge of RFC 6750 section 3."""


@dataclass(frozen=True)
class Route:
    """One method of one path. A path that ends in `{name}` serves every path with the same beginning;
    its handler reads the rest."""

    host: HostKind
    method: str
    path: str
    handler: Handler
    errors: ErrorStyle


@dataclass(frozen=True)
class RouteEntry:
    """A route as `aero2 routes` prints it. `handler` is `module:function`."""

    host: HostKind
    method: str
    path: str
    handler: str
    errors: ErrorStyle


@dataclass(frozen=True)
class RouteSet:
    """The routes of one module. FastAPI serves those of `router`, with paths relative to `/api`, on
    `host`. If `in_applications`, they are also served on the Dashboard's host at IN_APPLICATION."""

    routes: tuple[Route, ...] = ()
    router: APIRouter | None = None
    host: HostKind = HostKind.APPLICATION
    in_applications: bool = False

    def entries(self) -> Iterator[RouteEntry]:
        """Yields every route, with those of `router`."""
        for own in self.routes:
            yield RouteEntry(own.host, own.method, own.path, name_of(own.handler), own.errors)
        for route in self.router.routes if self.router else ():
            assert isinstance(route, APIRoute)
            paths = [(self.host, API + route.path)]
            if self.in_applications:
                paths.append((HostKind.DASHBOARD, IN_APPLICATION + route.path))
            for method in sorted(route.methods or ()):
                for host, path in paths:
                    handler = name_of(route.endpoint)
                    yield RouteEntry(host, method, path, handler, ErrorStyle.PROBLEM)


def name_of(handler: Callable[..., object]) -> str:
    """Returns the handler as `module:function`. A page's frame keeps the name of its handler."""
    return f"{handler.__module__}:{handler.__qualname__}"


class RouteTable:
    """The routes that the gateway dispatches itself: one dictionary by method and path, and a list of
    prefixes. Raises ValueError for two routes with the same method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.exact: dict[tuple[str, str], Route] = {}
        self.prefixes: list[tuple[str, Route]] = []
        methods: dict[str, list[str]] = defaultdict(list)
        for route in routes:
            if (route.method, route.path) in self.exact:
                raise ValueError(f"two routes for {route.method} {route.path}")
            beginning, brace, _ = route.path.partition("{")
            if brace:
                self.prefixes.append((beginning, route))
            else:
                self.exact[route.method, route.path] = route
                methods[route.path].append(route.method)
        self._starts = tuple(beginning for beginning, _ in self.prefixes)
        self._methods = {path: _allowed(names) for path, names in methods.items()}

    def find(self, method: str, path: str) -> Route | None:
        """Returns the route, or None. `method` is GET for HEAD, too."""
        route = self.exact.get((method, path))
        if route is None and path.startswith(self._starts):
            for beginning, candidate in self.prefixes:
                if path.startswith(beginning) and candidate.method == method:
                    return candidate
        return route

    def methods_of(self, path: str) -> str | None:
        """Returns the methods of a path as an Allow header has them, or None for an unknown path."""
        return self._methods.get(path)

    def paths(self) -> frozenset[str]:
        """Returns all paths, as templates."""
        prefixes = {route.path for _, route in self.prefixes}
        return frozenset(prefixes | {path for _, path in self.exact})


def _allowed(methods: list[str]) -> str:
    reads = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted({*methods, *reads}))
