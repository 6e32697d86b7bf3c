"""Consent."""

from __future__ import annotations

from common.events.base import Event


class ConsentGranted(Event, type="consent_granted"):
    """A user allowed a client these scopes."""

    client_id: str
    scopes: list[str]


class GrantRevoked(Event, type="grant_revoked"):
    """The consents of all users for a client were withdrawn, and its tokens have ended."""

    client_id: str
    reason: str
    count: int = 1
