"""Times in words: how long ago, and exactly. A list of a page has hundreds of them, so what Babel would
look up for each is looked up once for each language."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from babel import Locale, dates

LEAST: Final = 0.85
"""The part of a unit from which on that unit is said: 21 hours are a day (Babel's rule)."""
PHRASES: Final = 2000
"""Phrases like "3 hours ago" that are kept in memory."""
FIELD: Final = re.compile(r"%\((\w+)\)s")
Writer = Callable[[datetime], str]


def ago(locale: Locale, seconds: float) -> str:
    """Returns how long ago, or in how long: `seconds` after now."""
    for unit, length in dates.TIMEDELTA_UNITS:
        count = abs(seconds) / length
        if count >= LEAST or unit == "second":
            return _phrase(str(locale), unit, max(1, round(count)), seconds < 0)
    raise AssertionError("the last unit is the second")


@lru_cache(PHRASES)
def _phrase(locale: str, unit: str, count: int, is_past: bool) -> str:
    length = dict(dates.TIMEDELTA_UNITS)[unit] * count * (-1 if is_past else 1)
    return dates.format_timedelta(
        timedelta(seconds=length), add_direction=True, locale=locale, threshold=1
    )


@dataclass(frozen=True)
class ExactTime:
    """Writes dates with times as a language has them, like "Jan 2, 2026, 3:04:05 PM UTC"."""

    text: str
    """The format, with a place for each of the fields."""
    fields: tuple[Writer, ...]

    def write(self, when: datetime, zone: tzinfo = UTC) -> str:
        """Returns the time in a zone, with the name of the zone."""
        local = when.astimezone(zone)
        return f"{self.text % tuple(field(local) for field in self.fields)} {zone_name(local)}"


def zone_name(local: datetime) -> str:
    """Returns the zone of a time: its abbreviation, or its offset if it has none."""
    name = local.tzname() or "UTC"
    return f"UTC{name[:3]}:{name[3:] or '00'}" if name[0] in "+-" else name


@lru_cache
def exact_time(locale: str) -> ExactTime:
    """Returns the writer of a language. Raises KeyError for a field that no writer knows."""
    known = Locale.parse(locale)
    date = known.date_formats["medium"].format
    time = known.time_formats["medium"].format
    text = known.datetime_formats["medium"].replace("{1}", date).replace("{0}", time)
    writers = _writers(known)
    return ExactTime(FIELD.sub("%s", text), tuple(writers[name] for name in FIELD.findall(text)))


def _writers(locale: Locale) -> dict[str, Writer]:
    """Returns what writes each field of a format (Unicode Technical Standard 35, part 4)."""
    months = locale.months["format"]["abbreviated"]
    periods = locale.day_periods["format"]["abbreviated"]
    return {
        "y": lambda local: str(local.year),
        "MMM": lambda local: months[local.month],
        "MM": lambda local: f"{local.month:02}",
        "d": lambda local: str(local.day),
        "dd": lambda local: f"{local.day:02}",
        "h": lambda local: str(local.hour % 12 or 12),
        "HH": lambda local: f"{local.hour:02}",
        "mm": lambda local: f"{local.minute:02}",
        "ss": lambda local: f"{local.second:02}",
        "a": lambda local: periods["am" if local.hour < 12 else "pm"],
    }
