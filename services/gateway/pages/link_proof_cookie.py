"""The cookie of a proof: an account at a provider that waits for its user."""

from __future__ import annotations

from typing import Final

from gateway.http.request import GatewayRequest

MAX_AGE: Final = 900
"""Seconds. The proof itself lives as long."""
MAX_LENGTH: Final = 200
"""Characters, as in its contract."""


def read(request: GatewayRequest) -> str | None:
    """Returns the token of the browser's proof."""
    token = request.cookie(_name(request))
    return token if token and len(token) <= MAX_LENGTH else None


def write(request: GatewayRequest, token: str) -> None:
    request.set_cookie(_name(request), token, MAX_AGE)


def forget(request: GatewayRequest) -> None:
    """Deletes the cookie, if the browser has one."""
    if request.cookie(_name(request)) is not None:
        request.set_cookie(_name(request), "", 0)


def _name(request: GatewayRequest) -> str:
    return "__Host-aero2_link" if request.secure else "aero2_link"
