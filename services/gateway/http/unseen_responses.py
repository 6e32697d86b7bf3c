"""Responses that nobody looks at: to HEAD, and to a prefetch."""

from __future__ import annotations

from typing import Final

from gateway.http.request import GatewayRequest
from gateway.http.response import HTML, GatewayResponse

ACTS_ON_READ: Final = ("/oauth2/authorize", "/oauth2/authorize/resume", "/oauth2/logout")
ENDLESS: Final = "/audit/stream"


def unseen_response(request: GatewayRequest) -> GatewayResponse | None:
    """Returns the response to HEAD and to a prefetch of paths that act on GET: nobody looks at it, so
    nothing is done. None for other requests."""
    if request.path.endswith(ENDLESS) and request.method == "HEAD":
        return GatewayResponse(200, b"", [(b"content-type", b"text/event-stream")])
    if request.path not in ACTS_ON_READ:
        return None
    if request.method == "HEAD":
        return GatewayResponse(200, b"", [HTML])
    purpose = request.headers.get(b"sec-purpose", request.headers.get(b"purpose", b""))
    prefetch = request.method == "GET" and b"prefetch" in purpose.lower()
    return GatewayResponse(503) if prefetch else None
