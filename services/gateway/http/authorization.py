"""The Authorization header (RFC 9110 section 11.6.2)."""

from __future__ import annotations

from gateway.http.request import GatewayRequest


def bearer_token(request: GatewayRequest) -> str | None:
    """Returns the bearer token (RFC 6750 section 2.1). A token in the query does not count (section
    2.3 is not offered)."""
    return _credentials(request, "bearer")


def dpop_token(request: GatewayRequest) -> str | None:
    """Returns the access token of the scheme DPoP, which needs a proof (RFC 9449 section 7.1)."""
    return _credentials(request, "dpop")


def basic_credentials(request: GatewayRequest) -> str | None:
    """Returns the value of a Basic header (RFC 7617), still encoded."""
    header = request.header(b"authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "basic" else None


def _credentials(request: GatewayRequest, expected: str) -> str | None:
    """Returns what follows this scheme, or None if there is nothing, or another scheme."""
    header = request.header(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == expected else None


def has_access_token(request: GatewayRequest) -> bool:
    """Returns whether the request has a token or key in its header, which no browser adds by itself."""
    return bearer_token(request) is not None or dpop_token(request) is not None
