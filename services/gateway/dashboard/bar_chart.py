"""Bar charts as SVG. Bars are percentages of the width and pixels of the height, so text never scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 112
"""Pixels."""
LEAST: Final = 3.0
"""Pixels of the lowest bar that stands for something."""
ZERO: Final = 1.5
"""Pixels of the bar of a zero: it says that nothing happened, where a gap says nothing."""
MARGIN: Final = 0.14
"""Share of a bar's room that stays free on each side."""
LINES: Final = 3
"""Lines of the grid above zero, at most."""


@dataclass(frozen=True)
class Datum:
    """A value of the chart. None is a gap. One that is not `finished` is hatched."""

    value: int | None
    finished: bool = True


@dataclass(frozen=True)
class Bar:
    """The geometry of a value, as SVG attributes. Without `height` there is no bar. The tip with the
    value keeps inside the chart by `anchor`."""

    room_x: str
    room_width: str
    x: str
    width: str
    y: str
    height: str
    finished: bool
    tip_x: str
    anchor: str


@dataclass(frozen=True)
class GridLine:
    """A line of the grid with the value that it stands for."""

    value: int
    y: str


@dataclass(frozen=True)
class BarChart:
    """The geometry of a chart: bars from left to right, lines from top to bottom."""

    bars: list[Bar]
    lines: list[GridLine]
    height: int = HEIGHT


def bar_chart(data: Sequence[Datum]) -> BarChart:
    """Returns the geometry of at least one value."""
    step, count = _scale(max((each.value or 0 for each in data), default=0))
    top = step * count
    room = 100 / len(data)
    bars = [_bar(each, n * room, room, top) for n, each in enumerate(data)]
    lines = [GridLine(step * n, _number(HEIGHT * (1 - n / count))) for n in range(count, -1, -1)]
    return BarChart(bars, lines)


def _bar(datum: Datum, left: float, room: float, top: int) -> Bar:
    height = 0.0
    if datum.value is not None:
        height = max(LEAST, HEIGHT * datum.value / top) if datum.value else ZERO
    anchor = "start" if left < 100 / 3 else "end" if left > 200 / 3 else "middle"
    tip = {"start": left, "middle": left + room / 2, "end": left + room}[anchor]
    return Bar(
        room_x=_percent(left),
        room_width=_percent(room),
        x=_percent(left + MARGIN * room),
        width=_percent(room * (1 - 2 * MARGIN)),
        y=_number(HEIGHT - height),
        height=_number(height) if height else "",
        finished=datum.finished,
        tip_x=_percent(tip),
        anchor=anchor,
    )


def _scale(most: int) -> tuple[int, int]:
    """Returns the step of the grid, 1, 2 or 5 with zeros, and how many steps hold the largest value."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * LINES >= most:
                step = digit * power
                return step, max(1, -(-most // step))
        power *= 10


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _number(value: float) -> str:
    return f"{value:.1f}"
