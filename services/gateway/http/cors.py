"""Cross-origin calls (Fetch standard, section 3.3): only the origins an application registered,
exactly; never on pages and the authorization endpoint. The origins of its OAuth clients reach what
such clients call, and without cookies. Public documents may be read by all."""

from __future__ import annotations

from common.context import SYSTEM_CALLER
from common.contracts.clients import ListOrigins
from gateway.http.request import GatewayRequest
from gateway.http.response import Answer, Headers

PUBLIC = ("/.well-known/", "/oauth2/jwks")
CALLABLE = ("/api/", "/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/introspect")
FOR_CLIENTS = ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke")
ANYBODY: Headers = [(b"access-control-allow-origin", b"*")]
VARIES: Headers = [(b"vary", b"Origin")]
METHODS = b"GET, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    b"authorization, content-type, dpop, idempotency-key, if-none-match, x-requested-with, "
    b"traceparent, tracestate, baggage, b3, sentry-trace, x-request-id"
)
"""What clients and their tracing add; none of it is a credential of the browser's own."""
EXPOSED = (
    b"www-authenticate, retry-after, dpop-nonce, "
    b"x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
)


def headers(visit: GatewayRequest) -> Headers:
    """What a response to this request says about cross-origin reading."""
    if visit.path.startswith(PUBLIC):
        return ANYBODY
    if visit.tenant is None or not visit.path.startswith(CALLABLE):
        return []
    origin = visit.header(b"origin")
    if origin is None:
        return VARIES
    found = list(VARIES)
    if origin in visit.tenant.settings.allowed_origins:
        found += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED),
        ]
    elif visit.client_origin:
        found += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED),
        ]
    return found


async def recognise(visit: GatewayRequest) -> None:
    """Whether this comes from a page of one of the application's OAuth clients."""
    origin, app = visit.header(b"origin"), visit.app
    if visit.path not in FOR_CLIENTS or origin in (visit.origin, *app.settings.allowed_origins):
        return

    async def load() -> frozenset[str]:
        system_ctx = visit.context(SYSTEM_CALLER)
        return frozenset((await visit.gateway.bus.call(system_ctx, ListOrigins())).origins)

    known = await visit.gateway.origins.fetch(
        (app.app_id, "origins"),
        load,
        tags=lambda _: [("origin", "any"), ("application", app.app_id)],
    )
    visit.client_origin = origin in known


def preflight(visit: GatewayRequest) -> Answer | None:
    """The answer to a preflight request, or None where it is not one."""
    if visit.method != "OPTIONS" or b"access-control-request-method" not in visit.headers:
        return None
    if not any(name == b"access-control-allow-origin" for name, _ in headers(visit)):
        return Answer(204)
    return Answer(
        204,
        b"",
        [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ],
    )
