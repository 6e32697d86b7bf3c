"""Figures as people read them. A value that is no number becomes an empty text."""

from __future__ import annotations

from typing import Any, Final

LONGEST: Final = 300
"""Characters of a text that another process sent."""


def printable(text: Any) -> str:
    """Returns a text without control characters, which could rewrite a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:LONGEST])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(value: Any) -> str:
    """Returns a whole number, with thousands apart."""
    number = _number(value)
    return "" if number is None else f"{number:,.0f}"


def rate(value: Any) -> str:
    """Returns a number for each second."""
    number = _number(value)
    return "" if number is None else f"{number:,.1f}"


def milliseconds(value: Any) -> str:
    number = _number(value)
    if number is None:
        return ""
    return f"{number:.2f} ms" if number < 10 else f"{number:,.0f} ms"


def share(value: Any) -> str:
    """Returns a share of 1 as a percentage."""
    number = _number(value)
    return "" if number is None else f"{number * 100:.1f} %"


def size(value: Any) -> str:
    """Returns bytes in a unit that leaves at most four digits."""
    number = _number(value)
    if number is None:
        return ""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def duration(value: Any) -> str:
    """Returns seconds in the largest unit that fits twice."""
    number = _number(value)
    if number is None:
        return ""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if number >= 2 * length:
            return f"{number / length:.0f} {unit}"
    return f"{number:.0f} s"
