"""Times in words: how long ago, and exactly. A list of a page has hundreds of them, so what Babel would
look up for each is looked up once for each language."""

from __future__ import annotations

import re
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
NOON: Final = 12
FIELDS: Final = {
    "y": "%(year)d",
    "MMM": "%(name)s",
    "MM": "%(month)02d",
    "d": "%(day)d",
    "dd": "%(day)02d",
    "h": "%(hour12)d",
    "HH": "%(hour)02d",
    "mm": "%(minute)02d",
    "ss": "%(second)02d",
    "a": "%(half)s",
}
"""The fields of a format, and how each is written (Unicode Technical Standard 35, part 4)."""


def ago(locale: str, seconds: float) -> str:
    """Returns how long ago, or in how long: `seconds` after now. `locale` is the code of a language."""
    for unit, length in dates.TIMEDELTA_UNITS:
        count = abs(seconds) / length
        if count >= LEAST or unit == "second":
            return _phrase(locale, unit, max(1, round(count)), seconds < 0)
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
    """The format, with a place for each of its fields."""
    months: dict[int, str]
    """Short names of the months, from 1."""
    halves: tuple[str, str]
    """Names of the halves of a day."""

    def write(self, when: datetime, zone: tzinfo = UTC) -> str:
        """Returns the time in a zone, with the name of the zone."""
        local = when.astimezone(zone)
        said = self.text % {
            "year": local.year,
            "month": local.month,
            "name": self.months[local.month],
            "day": local.day,
            "hour": local.hour,
            "hour12": local.hour % 12 or 12,
            "half": self.halves[local.hour >= NOON],
            "minute": local.minute,
            "second": local.second,
        }
        return f"{said} {zone_name(local)}"


def zone_name(local: datetime) -> str:
    """Returns the zone of a time: its abbreviation, or its offset if it has none."""
    name = local.tzname() or "UTC"
    return f"UTC{name[:3]}:{name[3:] or '00'}" if name[0] in "+-" else name


@lru_cache
def exact_time(locale: str) -> ExactTime:
    """Returns the writer of a language. Raises KeyError for a field that is not in FIELDS."""
    language = Locale.parse(locale)
    date = language.date_formats["medium"].format
    time = language.time_formats["medium"].format
    text = language.datetime_formats["medium"].replace("{1}", date).replace("{0}", time)
    periods = language.day_periods["format"]["abbreviated"]
    return ExactTime(
        FIELD.sub(lambda field: FIELDS[field[1]], text),
        language.months["format"]["abbreviated"],
        (periods["am"], periods["pm"]),
    )
