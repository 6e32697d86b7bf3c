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
    """One method of one path. A `{name}` in the path stands for one segment (RFC 3986 section 3.3),
    which must not be empty."""

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


def path_parameters(template: str, path: str) -> dict[str, str] | None:
    """Returns the segments of a path that stand for the names of its template, or None if the path does
    not match the template."""
    names, segments = template.split("/"), path.split("/")
    if len(names) != len(segments):
        return None
    parameters = {}
    for name, segment in zip(names, segments, strict=True):
        if name.startswith("{") and segment:
            parameters[name[1:-1]] = segment
        elif name != segment:
            return None
    return parameters


class RouteTable:
    """The routes that the gateway dispatches itself: one dictionary for paths without parameters, and one
    for the others by their number of segments. Raises ValueError for two routes with the same method and
    path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.exact: dict[tuple[str, str], Route] = {}
        self.templates: dict[int, list[Route]] = defaultdict(list)
        self._of_path: dict[str, list[Route]] = defaultdict(list)
        for route in routes:
            if "{" in route.path:
                self.templates[route.path.count("/")].append(route)
            elif (route.method, route.path) in self.exact:
                raise ValueError(f"two routes for {route.method} {route.path}")
            else:
                self.exact[route.method, route.path] = route
                self._of_path[route.path].append(route)
        for alike in self.templates.values():
            alike.sort(key=_parameters_last)
            _check_twins(alike)
        starts = {route.path.partition("{")[0] for route in self._with_parameters()}
        self._starts = tuple(sorted(starts))

    def _with_parameters(self) -> Iterator[Route]:
        for alike in self.templates.values():
            yield from alike

    def _matching(self, path: str) -> Iterator[Route]:
        """Yields the routes with parameters that match the path, those with fewer parameters first."""
        if path.startswith(self._starts):
            for route in self.templates.get(path.count("/"), ()):
                if path_parameters(route.path, path) is not None:
                    yield route

    def find(self, method: str, path: str) -> Route | None:
        """Returns the route, or None. `method` is GET for HEAD, too."""
        route = self.exact.get((method, path))
        if route is None:
            route = next((r for r in self._matching(path) if r.method == method), None)
        return route

    def methods_of(self, path: str, *, dashboard: bool) -> str | None:
        """Returns the methods of a path as an Allow header has them, or None for an unknown path. Only
        the host of the `dashboard` has the routes of HostKind.DASHBOARD."""
        routes = self._of_path.get(path) or self._matching(path)
        methods = [r.method for r in routes if dashboard or r.host is not HostKind.DASHBOARD]
        return _allowed(methods) if methods else None

    def paths(self) -> frozenset[str]:
        """Returns all paths, as templates."""
        templates = {route.path for route in self._with_parameters()}
        return frozenset(templates | {path for _, path in self.exact})


def _parameters_last(route: Route) -> tuple[tuple[bool, str], ...]:
    return tuple((segment.startswith("{"), segment) for segment in route.path.split("/"))


def _check_twins(routes: list[Route]) -> None:
    seen = set()
    for route in routes:
        shape = (route.method, "/".join("{" if s[:1] == "{" else s for s in route.path.split("/")))
        if shape in seen:
            raise ValueError(f"two routes for {route.method} {route.path}")
        seen.add(shape)


def _allowed(methods: list[str]) -> str:
    reads = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted({*methods, *reads}))
