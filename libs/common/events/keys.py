"""Signing keys."""

from __future__ import annotations

from common.events.base import Event


class KeysRotated(Event, type="signing_keys_rotated"):
    """New signing keys were made; the old ones verify until their last token is gone."""

    kids: list[str]
    at_once: bool = False
