"""The choices cookie: which session of this browser the user chose for which client."""

from __future__ import annotations

import re
from typing import Final

from gateway.http.request import GatewayRequest
from gateway.state import Gateway

MAX_CHOICES: Final = 20
CHOICE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The id of a client or of a session."""
YEAR: Final = 31_536_000
"""Seconds."""


def choices(gateway: Gateway, request: GatewayRequest) -> dict[str, str]:
    """Returns, by client, the session that the user chose for it in this browser."""
    chosen = {}
    cookie = request.cookie(gateway.settings.choices_cookie) or ""
    for pair in cookie.split("."):
        client, _, session = pair.partition("~")
        if CHOICE.fullmatch(client) and CHOICE.fullmatch(session):
            chosen[client] = session
    return dict(list(chosen.items())[-MAX_CHOICES:])


def remember_choice(
    gateway: Gateway, request: GatewayRequest, client_id: str, session_id: str
) -> None:
    """From now on this client continues with this session, until the session ends."""
    chosen = choices(gateway, request)
    if chosen.pop(client_id, None) == session_id or not CHOICE.fullmatch(client_id):
        return
    chosen[client_id] = session_id
    packed = ".".join(f"{client}~{session}" for client, session in chosen.items())
    request.set_cookie(gateway.settings.choices_cookie, packed, YEAR)
