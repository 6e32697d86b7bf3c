"""Consents."""

from __future__ import annotations

from common.events.base import Event


class ConsentGranted(Event, type="consent_granted"):
    """A user granted scopes to a client."""

    client_id: str
    scopes: list[str]


class GrantRevoked(Event, type="grant_revoked"):
    """Grants of users to a client were revoked. The tokens stopped working."""

    client_id: str
    reason: str
    count: int = 1
