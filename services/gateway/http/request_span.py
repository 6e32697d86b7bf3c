"""The span of a request: it begins before the application is known, and says most at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.request import GatewayRequest

if TYPE_CHECKING:
    from common.span_recorder import RecordedSpan, SpanRecorder

PROBES: Final = "/health"
"""Requests of load balancers. They come every few seconds, and have no span."""

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER: Final = "_OTHER"
"""A method that is not among those, as the semantic conventions name it."""


def begin_http_span(
    recorder: SpanRecorder, method: str, path: str, link: str | None
) -> RecordedSpan | None:
    """Begins the span of a request. `link` is the traceparent of its client. Returns None if the trace is
    not recorded."""
    if path.startswith(PROBES):
        return None
    return recorder.http_request(method if method in METHODS else OTHER, link)


def end_http_span(
    span: RecordedSpan, request: GatewayRequest, template: str | None, status: int
) -> None:
    """Ends the span of a request. It has the template of the route, and no path: a path may hold what
    only its reader should know. The client has no part in it either."""
    attributes: dict[str, str | int] = {
        "url.scheme": request.scheme,
        "http.response.status_code": status,
    }
    if template is not None:
        attributes["http.route"] = template
    if request.tenant is not None:
        attributes["server.address"] = request.host.partition(":")[0]
        attributes["aero2.app_id"] = request.tenant.app_id
    outcome = str(request.state.log_facts.get("outcome", "ok"))
    known = template is not None and request.method in METHODS
    name = f"{request.method} {template}" if known else ""
    span.end(attributes, name=name, error=outcome if status >= 500 or not status else "")
