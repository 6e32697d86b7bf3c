"""`aero2 routes`: every route of the gateway."""

from __future__ import annotations

import json

from gateway.build import ROUTE_SETS
from gateway.routing import RouteEntry


def entries() -> list[RouteEntry]:
    """Returns every route, ordered by path, host and method."""
    every_entry = [entry for routes in ROUTE_SETS for entry in routes.entries()]
    return sorted(every_entry, key=lambda entry: (entry.path, entry.host, entry.method))


def as_table() -> str:
    """Returns one line for each route: host, method, path, handler, and style of errors."""
    rows = [("HOST", "METHOD", "PATH", "HANDLER", "ERRORS"), *(_row(one) for one in entries())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def as_json() -> str:
    """Returns the routes as a JSON array of objects."""
    names = ("host", "method", "path", "handler", "errors")
    return json.dumps([dict(zip(names, _row(one), strict=True)) for one in entries()], indent=2)


def _row(entry: RouteEntry) -> tuple[str, ...]:
    return (
        entry.host.value,
        entry.method,
        entry.path,
        entry.handler,
        entry.errors.value,
    )
