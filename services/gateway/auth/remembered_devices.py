"""The cookies of remembered devices: one for each user who chose that this browser skips the second
factor."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from gateway.auth.caller import MAX_SESSION_TOKEN
from gateway.http.request import GatewayRequest
from gateway.state import Gateway

MAX_DEVICES: Final = 5
DAY: Final = 86_400
"""Seconds."""
NAME_LENGTH: Final = 16
"""Hexadecimal digits of the user's part of the name."""


def values(gateway: Gateway, request: GatewayRequest) -> list[str]:
    """Returns the values that this browser has for users of this host, the newest last."""
    found = [value for _, value in _cookies(gateway, request)]
    return [value for value in found if 0 < len(value) <= MAX_SESSION_TOKEN][-MAX_DEVICES:]


def remember(gateway: Gateway, request: GatewayRequest, user_id: str, value: str | None) -> None:
    """Sets the user's cookie if there is a value. The oldest cookies of other users make room for
    it."""
    if value is None:
        return
    name = _name(gateway, user_id)
    others = [other for other, _ in _cookies(gateway, request) if other != name]
    for other in others[: max(0, len(others) + 1 - MAX_DEVICES)]:
        request.set_cookie(other, "", 0)
    days = request.app.settings.mfa_remember_device_days
    request.set_cookie(name, value, days * DAY)


def _name(gateway: Gateway, user_id: str) -> str:
    """Returns the name of the user's cookie. It does not contain the user's id."""
    return gateway.settings.device_cookie + sha256(user_id.encode()).hexdigest()[:NAME_LENGTH]


def _cookies(gateway: Gateway, request: GatewayRequest) -> list[tuple[str, str]]:
    """Returns the cookies in the order of the header: the oldest first (RFC 6265 section 5.4)."""
    prefix = gateway.settings.device_cookie
    return [pair for pair in request.cookies.items() if pair[0].startswith(prefix)]
