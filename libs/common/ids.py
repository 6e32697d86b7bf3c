"""Identifiers: UUIDv7 (RFC 9562 section 5.7), so that keys grow in time order."""

from __future__ import annotations

from functools import lru_cache

import uuid_utils

DASHBOARD = "00000000-0000-0000-0000-000000000000"
"""The application that is the Dashboard itself."""


def new_id() -> str:
    """Returns a new UUIDv7."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Returns whether a text is the canonical text of a UUID, which Postgres accepts."""
    try:
        return str(uuid_utils.UUID(text)) == text
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def is_app_id(text: str) -> bool:
    """Returns what `is_id` does. Every call names its application, so the answers are kept."""
    return is_id(text)
