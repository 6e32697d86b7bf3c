"""Values as other systems write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson


def text(value: Any) -> str | None:
    """Returns a text that is not blank, or None."""
    return value.strip() or None if isinstance(value, str) else None


def truth(value: Any) -> bool:
    """Reads true and false, also from a CSV file of PostgreSQL (`t`, `f`)."""
    return value is True or str(value).lower() in {"true", "t", "1", "yes"}


def members(value: Any) -> list[Any]:
    """Returns a list: also that of a JSON text in a CSV cell."""
    value = parsed(value)
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """Returns an object: also that of a JSON text in a CSV cell."""
    value = parsed(value)
    return value if isinstance(value, dict) else {}


def parsed(value: Any) -> Any:
    """Returns what a JSON text says, or None if it is not JSON. Another value comes back as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def milliseconds(value: Any) -> str | None:
    """Reads a time in milliseconds since 1970. Returns ISO 8601."""
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def moment(value: Any) -> str | None:
    """Reads a time as text, or in seconds since 1970. Returns ISO 8601, or the text as it is if it is no time."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return milliseconds(value * 1000)
    written = text(value)
    try:
        return datetime.fromisoformat(written).isoformat() if written else None
    except ValueError:
        return written


def given(**fields: Any) -> dict[str, Any]:
    """Returns the fields that say something: an import reads a field that is absent as false or empty."""
    return {name: value for name, value in fields.items() if value}
