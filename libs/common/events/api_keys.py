"""API keys."""

from __future__ import annotations

from datetime import datetime

from common.events.base import Event


class ApiKeyCreated(Event, type="api_key_created"):
    """An API key was created."""

    key_id: str
    key_type: str
    name: str | None = None


class ApiKeyRotated(Event, type="api_key_rotated"):
    """An API key was replaced by a new one. The old key works until `expires_at`."""

    key_id: str
    successor_id: str
    expires_at: datetime


class ApiKeyRevoked(Event, type="api_key_revoked"):
    """An API key was revoked."""

    key_id: str
