"""The charts of an application's usage: sign-ins, sign-ups, active users and failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from babel import dates, numbers

from common.contracts.usage import UsageCounts, UsagePeriod, UsageWindow
from common.message_ids import N_
from common.time_zones import zone_of_name
from gateway.dashboard.bar_chart import BarChart, Datum, bar_chart
from gateway.pages.languages import Language

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
    times = PeriodNames(language, zone_of_name(usage.time_zone), usage.unit == "hour")
    return [_chart(usage, field, name, times) for field, name in FIGURES]


@dataclass(frozen=True)
class PeriodNames:
    """The names of hours or days in a zone, as the readers of a language write them."""

    language: Language
    zone: tzinfo
    hourly: bool

    def short(self, start: datetime) -> str:
        """Returns the name for an axis, like 14:00 or 3 Nov."""
        local = start.astimezone(self.zone)
        if self.hourly:
            return dates.format_time(local, "short", tzinfo=self.zone, locale=self.language.locale)
        return dates.format_skeleton("MMMd", local, tzinfo=self.zone, locale=self.language.locale)

    def whole(self, start: datetime) -> str:
        """Returns the name for a table. An hour that the clocks repeat says which of the two it is."""
        local = start.astimezone(self.zone)
        day = dates.format_skeleton("yMMMEd", local, tzinfo=self.zone, locale=self.language.locale)
        if not self.hourly:
            return day
        is_repeated = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        offset = (
            f" {dates.get_timezone_gmt(local, locale=self.language.locale)}" if is_repeated else ""
        )
        return f"{day}, {self.short(start)}{offset}"


def _chart(usage: UsageCounts, field: str, name: str, times: PeriodNames) -> UsageChart:
    language = times.language
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
        summary=_summary(usage, field, values, times),
        geometry=geometry,
        lines=[_short_number(line.value, language) for line in geometry.lines],
        labels=_labels(usage.periods, geometry, times),
        rows=[
            _row(period, value, times) for period, value in zip(usage.periods, values, strict=True)
        ],
    )


def _value(period: UsagePeriod, field: str) -> int | None:
    value: int | None = getattr(period.figures, field) if period.figures else None
    return value


def _row(period: UsagePeriod, value: int | None, times: PeriodNames) -> ChartRow:
    translate = times.language.translate
    note = "" if period.finished else translate(NOT_OVER)
    return ChartRow(
        label=times.short(period.start),
        name=times.whole(period.start),
        value="–" if value is None else times.language.number(value),
        note=translate(BEFORE_IT_EXISTED) if value is None else note,
        start=period.start,
    )


def _labels(
    periods: Sequence[UsagePeriod], geometry: BarChart, times: PeriodNames
) -> list[tuple[str, str]]:
    """Returns the labels of the time axis with their places, at equal distances."""
    step = -(-len(periods) // LABELS)
    return [
        (geometry.bars[n].room_x, times.short(periods[n].start))
        for n in range(0, len(periods), step)
    ]


def _summary(
    usage: UsageCounts, field: str, values: Sequence[int | None], times: PeriodNames
) -> str:
    """Returns the chart in a sentence, for readers who do not see it."""
    language = times.language
    first, last = times.whole(usage.periods[0].start), times.whole(usage.periods[-1].start)
    most = max((value or 0 for value in values), default=0)
    if not most:
        return language.translate(NOTHING, first=first, last=last)
    peak = usage.periods[next(n for n, value in enumerate(values) if (value or 0) == most)]
    return language.translate(
        SUMMARY,
        first=first,
        last=last,
        total=language.number(getattr(usage.total, field)),
        most=language.number(most),
        peak=times.whole(peak.start),
    )


def _short_number(value: int, language: Language) -> str:
    if value < COMPACT:
        return language.number(value)
    text: str = numbers.format_compact_decimal(value, locale=language.locale, fraction_digits=1)
    return text
