"""Signing keys."""

from __future__ import annotations

from common.events.base import Event


class KeysRotated(Event, type="signing_keys_rotated"):
    """Signing keys were rotated. The old keys stay published until the last token signed with them
    has expired."""

    kids: list[str]
    at_once: bool = False
