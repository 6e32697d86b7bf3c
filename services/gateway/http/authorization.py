"""The Authorization header (RFC 9110 section 11.6.2)."""

from __future__ import annotations

from gateway.http.request import GatewayRequest


def bearer_token(request: GatewayRequest) -> str | None:
    """Returns the bearer token (RFC 6750 section 2.1). A token in the query does not count (section
    2.3 is not offered)."""
    header = request.header(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def basic_credentials(request: GatewayRequest) -> str | None:
    """Returns the value of a Basic header (RFC 7617), still encoded."""
    header = request.header(b"authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "basic" else None
