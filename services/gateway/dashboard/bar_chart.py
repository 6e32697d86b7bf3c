"""Bar charts as SVG. Bars are percentages of the width and pixels of the height, so text never scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
class BarRoom:
    """The room of a bar, as SVG attributes. A tip keeps inside the chart by `anchor`."""

    x: str
    width: str
    bar_x: str
    bar_width: str
    tip_x: str
    anchor: str


@dataclass(frozen=True)
class Bar:
    """The geometry of a value, as SVG attributes. Without `height` there is no bar."""

    room: BarRoom
    y: str
    height: str
    finished: bool


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
    rooms = bar_rooms(len(data))
    bars = [_bar(each, room, top) for each, room in zip(data, rooms, strict=True)]
    lines = [GridLine(step * n, _number(HEIGHT * (1 - n / count))) for n in range(count, -1, -1)]
    return BarChart(bars, lines)


@lru_cache(maxsize=16)
def bar_rooms(count: int) -> list[BarRoom]:
    """Returns the rooms of so many bars."""
    size = 100 / count
    return [_room(n * size, size) for n in range(count)]


def _room(left: float, size: float) -> BarRoom:
    anchor = "start" if left < 100 / 3 else "end" if left > 200 / 3 else "middle"
    tip = {"start": left, "middle": left + size / 2, "end": left + size}[anchor]
    return BarRoom(
        x=_percent(left),
        width=_percent(size),
        bar_x=_percent(left + MARGIN * size),
        bar_width=_percent(size * (1 - 2 * MARGIN)),
        tip_x=_percent(tip),
        anchor=anchor,
    )


def _bar(datum: Datum, room: BarRoom, top: int) -> Bar:
    height = 0.0
    if datum.value is not None:
        height = max(LEAST, HEIGHT * datum.value / top) if datum.value else ZERO
    return Bar(room, _number(HEIGHT - height), _number(height) if height else "", datum.finished)


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
