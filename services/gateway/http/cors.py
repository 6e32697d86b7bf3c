"""Cross-origin calls (Fetch standard, section 3.3).

An origin must be one that the application registered, character by character. Pages and the
authorization endpoint answer to no other origin. Origins of the application's OAuth clients reach
only the endpoints that clients call, without cookies. Everybody may read public documents.
"""

from __future__ import annotations

from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, Headers

PUBLIC = ("/.well-known/", "/oauth2/jwks")
FOR_CLIENTS = ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/par")
CALLABLE = ("/api/", "/oauth2/introspect", *FOR_CLIENTS)
ANYBODY: Headers = [(b"access-control-allow-origin", b"*")]
VARIES: Headers = [(b"vary", b"Origin")]
METHODS = b"GET, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    b"authorization, content-type, dpop, idempotency-key, if-match, if-none-match, "
    b"x-requested-with, traceparent, tracestate, baggage, b3, sentry-trace, x-request-id"
)
"""Headers that clients and their tracing add. None is a credential that the browser adds by itself."""
EXPOSED = (
    b"www-authenticate, retry-after, dpop-nonce, etag, "
    b"x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
)


def headers(request: GatewayRequest, *, client_origin: bool) -> Headers:
    """Returns the headers that allow another origin to read the response. `client_origin`: the Origin
    is one of the application's OAuth clients."""
    if request.path.startswith(PUBLIC):
        return ANYBODY
    if request.tenant is None or not request.path.startswith(CALLABLE):
        return []
    origin = request.header(b"origin")
    if origin is None:
        return VARIES
    allowed = list(VARIES)
    if origin in request.tenant.settings.allowed_origins:
        allowed += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED),
        ]
    elif client_origin:
        allowed += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED),
        ]
    return allowed


def preflight(request: GatewayRequest, *, client_origin: bool) -> GatewayResponse | None:
    """Returns the response to a preflight request, or None if the request is not one."""
    if request.method != "OPTIONS" or b"access-control-request-method" not in request.headers:
        return None
    allowed = headers(request, client_origin=client_origin)
    if not any(name == b"access-control-allow-origin" for name, _ in allowed):
        return GatewayResponse(204)
    return GatewayResponse(
        204,
        b"",
        [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ],
    )
