"""The word of an audit event's data that says what the event is about."""

from __future__ import annotations

from typing import Any, Final

MAX_NAME: Final = 200
"""Characters of a name in an event that a page shows."""
NAMES: Final = ("name", "slug", "domain", "provider", "method", "kind", "purpose", "reason")
"""Fields of an event that say what it is about, the most telling first."""


def subject_of(event_data: dict[str, Any]) -> str:
    """Returns what an event is about, in one word of its data; empty if the data has no name."""
    for name in NAMES:
        text = event_data.get(name)
        if isinstance(text, str) and text:
            return text[:MAX_NAME]
    return ""
