"""What the span of a request says, once the request is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from common.tracing import METHODS
from gateway.http.request import GatewayRequest

if TYPE_CHECKING:
    from common.span_recorder import RecordedSpan

PROBES: Final = "/health"
"""Requests of load balancers. They come every few seconds, and have no span."""


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
