"""The charts of an application's usage: sign-ins, sign-ups, active users and failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Final, Literal

from babel import Locale, dates, numbers

from common.contracts.usage import UsageCounts, UsagePeriod, UsageWindow
from common.message_ids import N_
from common.time_zones import zone_of_name
from gateway.dashboard.bar_chart import BarChart, Datum, bar_chart
from gateway.pages.languages import Language
from gateway.pages.languages import language as language_of

DEFAULT: Final[UsageWindow] = "7d"
WINDOWS: Final[dict[UsageWindow, tuple[str, str]]] = {
    "24h": (N_("24 hours"), N_("%(count)s in the 24 hours before")),
    "7d": (N_("7 days"), N_("%(count)s in the 7 days before")),
    "30d": (N_("30 days"), N_("%(count)s in the 30 days before")),
    "90d": (N_("90 days"), N_("%(count)s in the 90 days before")),
}
"""Each window with its name, and how it is compared."""
FIGURES: Final = (
    ("sign_ins", N_("Sign-ins")),
    ("sign_ups", N_("Sign-ups")),
    ("active_users", N_("Active users")),
    ("failures", N_("Failed sign-ins")),
)
"""The fields of UsageFigures with their names."""
NOTHING_BEFORE: Final = N_("no earlier figures")
BEFORE_IT_EXISTED: Final = N_("before the application existed")
NOT_OVER: Final = N_("not over yet")
SUMMARY: Final = N_("From %(first)s to %(last)s: %(total)s in total, at most %(most)s (%(peak)s).")
NOTHING: Final = N_("From %(first)s to %(last)s: nothing.")
COMPACT: Final = 10_000
"""Values of an axis from this one on are short, like 12K."""
LABELS: Final = 4
"""Labels of the time axis, at most."""


@dataclass(frozen=True)
class ChartRow:
    """An hour or day: its short and its whole name, its value, and what else is to say."""

    label: str
    name: str
    value: str
    note: str
    start: datetime


@dataclass(frozen=True)
class UsageChart:
    """A figure with its chart. `labels` stand at the left edge of their bars."""

    id: str
    name: str
    total: str
    before: str
    summary: str
    geometry: BarChart
    lines: list[str]
    labels: list[tuple[str, str]]
    rows: list[ChartRow]


def window_of(text: str) -> UsageWindow:
    """Returns the window of that name, else the default."""
    return next((window for window in WINDOWS if window == text), DEFAULT)


def usage_charts(usage: UsageCounts, language: Language) -> list[UsageChart]:
    """Returns a chart for each figure. Days and hours are those of the application's zone."""
    names = [
        period_name(language.code, usage.time_zone, usage.unit, period.start)
        for period in usage.periods
    ]
    shared = UsageNames(language, names, cache(language.number))
    return [_chart(usage, field, name, shared) for field, name in FIGURES]


@dataclass(frozen=True)
class PeriodName:
    """The names of an hour or day: for the axis, and for the table."""

    short: str
    whole: str
    start: datetime


@dataclass(frozen=True)
class UsageNames:
    """The language of the page, the names of all periods, and how numbers are written. The charts
    share them, because each name and number costs."""

    language: Language
    periods: list[PeriodName]
    number: Callable[[int], str]


@lru_cache(maxsize=4096)
def period_name(
    language: str, zone_name: str, unit: Literal["hour", "day"], start: datetime
) -> PeriodName:
    """Returns the names of a period that starts then, as the readers of a language write them in the
    zone. All pages share them."""
    zone = zone_of_name(zone_name)
    local = start.astimezone(zone)
    locale = language_of(language).locale
    day = dates.format_skeleton("yMMMEd", local, tzinfo=zone, locale=locale)
    if unit == "day":
        short = dates.format_skeleton("MMMd", local, tzinfo=zone, locale=locale)
        return PeriodName(short, day, start)
    hour = dates.format_time(local, "short", tzinfo=zone, locale=locale)
    return PeriodName(hour, f"{day}, {hour}{_offset(local, locale)}", start)


def _offset(local: datetime, locale: Locale) -> str:
    """Returns which of the two it is, for an hour that the clocks repeat."""
    other = local.replace(fold=1 - local.fold)
    if local.utcoffset() == other.utcoffset():
        return ""
    return f" {dates.get_timezone_gmt(local, locale=locale)}"


def _chart(usage: UsageCounts, field: str, name: str, names: UsageNames) -> UsageChart:
    language = names.language
    values = [_value(period, field) for period in usage.periods]
    geometry = bar_chart(
        [Datum(value, period.finished) for value, period in zip(values, usage.periods, strict=True)]
    )
    before = getattr(usage.previous, field) if usage.previous else None
    comparison = WINDOWS[usage.window][1]
    return UsageChart(
        id=field.replace("_", "-"),
        name=language.translate(name),
        total=language.number(getattr(usage.total, field)),
        before=language.translate(NOTHING_BEFORE)
        if before is None
        else language.translate(comparison, count=language.number(before)),
        summary=_summary(names, values, getattr(usage.total, field)),
        geometry=geometry,
        lines=[_short_number(line.value, language) for line in geometry.lines],
        labels=_labels(names.periods, geometry),
        rows=[
            _row(name, period, value, names)
            for name, period, value in zip(names.periods, usage.periods, values, strict=True)
        ],
    )


def _value(period: UsagePeriod, field: str) -> int | None:
    value: int | None = getattr(period.figures, field) if period.figures else None
    return value


def _row(name: PeriodName, period: UsagePeriod, value: int | None, names: UsageNames) -> ChartRow:
    language = names.language
    note = "" if period.finished else language.translate(NOT_OVER)
    return ChartRow(
        label=name.short,
        name=name.whole,
        value="–" if value is None else names.number(value),
        note=language.translate(BEFORE_IT_EXISTED) if value is None else note,
        start=name.start,
    )


def _labels(names: Sequence[PeriodName], geometry: BarChart) -> list[tuple[str, str]]:
    """Returns the labels of the time axis with their places, at equal distances."""
    step = -(-len(names) // LABELS)
    return [(geometry.bars[n].room.x, names[n].short) for n in range(0, len(names), step)]


def _summary(names: UsageNames, values: Sequence[int | None], total: int) -> str:
    """Returns the chart in a sentence, for readers who do not see it."""
    language = names.language
    first, last = names.periods[0].whole, names.periods[-1].whole
    most = max((value or 0 for value in values), default=0)
    if not most:
        return language.translate(NOTHING, first=first, last=last)
    return language.translate(
        SUMMARY,
        first=first,
        last=last,
        total=names.number(total),
        most=names.number(most),
        peak=names.periods[values.index(most)].whole,
    )


def _short_number(value: int, language: Language) -> str:
    if value < COMPACT:
        return language.number(value)
    text: str = numbers.format_compact_decimal(value, locale=language.locale, fraction_digits=1)
    return text
