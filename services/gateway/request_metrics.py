"""Times of answers, for Prometheus. No label comes from a client."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from prometheus_client import Histogram

from common import metrics
from gateway.http.request import read_method

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
METHOD_NOT_ALLOWED: Final = int(HTTPStatus.METHOD_NOT_ALLOWED)
UNMATCHED: Final = "unmatched"
"""The route of requests that no route has answered."""


@dataclass
class RequestMetrics:
    """Observes answers. There are as many series as routes, whatever clients send."""

    templates: frozenset[str]
    """The templates of paths that may be a label."""
    _timers: dict[tuple[str, str | None, int], Histogram] = field(default_factory=dict)

    def observe(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """Adds an answer. `template` is that of the route, or None if there was none."""
        key = method, template, status
        timer = self._timers.get(key)
        if timer is None:
            timer = metrics.HTTP.labels(*self._labels(*key))
            if method in METHODS:
                self._timers[key] = timer
        timer.observe(seconds)

    def _labels(self, method: str, template: str | None, status: int) -> tuple[str, str, str]:
        """Only the template of a route that answered is a label, and only methods that routes have."""
        is_route = template in self.templates and status != METHOD_NOT_ALLOWED
        known = method in METHODS and is_route
        route = template if is_route and template is not None else UNMATCHED
        return read_method(method) if known else "other", route, str(status)
