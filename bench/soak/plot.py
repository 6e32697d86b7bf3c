"""Draws series as an SVG file of small charts, for light and dark pages."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.soak.judgement import Series

WIDTH, HEIGHT, GAP, COLUMNS = 440, 200, 24, 2
LEFT, TOP, RIGHT, BOTTOM = 48, 30, 96, 24
"""The space around the lines of a chart."""
LABEL: Final = 12
"""The least distance of two labels."""
STYLE: Final = """
svg { background: #fff; font: 11px system-ui, sans-serif; --text: #1c1e21; --faint: #5f6670; --line: #dfe2e6;
  --c0: #0b63c5; --c1: #b3420a; --c2: #1a7f37; --c3: #8a2be2; --c4: #a8710b; --c5: #0f7b83; --c6: #c2255c; }
@media (prefers-color-scheme: dark) { svg { background: #16181d; --text: #e8eaed; --faint: #9aa3ad;
  --line: #33383f; --c0: #6cb0ff; --c1: #ff9a66; --c2: #62c97c; --c3: #c79bff; --c4: #e5b454; --c5: #56cfd9;
  --c6: #ff85ab; } }
text { fill: var(--faint); } .title { fill: var(--text); font-weight: 600; font-size: 12px; }
.grid { stroke: var(--line); } .series { fill: none; stroke-width: 1.5; }
""" + "".join(f".s{n} {{ stroke: var(--c{n}); }} .t{n} {{ fill: var(--c{n}); }} " for n in range(7))
SHOWN: Final = 7
"""Lines of a chart at most: the largest ones."""


@dataclass(frozen=True)
class Chart:
    """A chart: its title with the unit, and its lines by name."""

    title: str
    lines: Mapping[str, Series]


def draw(charts: Sequence[Chart], description: str) -> str:
    """Returns the SVG file."""
    rows = -(-len(charts) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{html.escape(description)}</title><style>{STYLE}</style>",
    ]
    for number, chart in enumerate(charts):
        row, column = divmod(number, COLUMNS)
        x, y = GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + GAP)
        parts += [f'<g transform="translate({x} {y})">', *_chart(chart), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _chart(chart: Chart) -> list[str]:
    """Returns the elements of one chart. Its scale begins at 0, so a flat line looks flat."""
    lines = sorted(chart.lines.items(), key=lambda line: -max(value for _, value in line[1]))
    lines = lines[:SHOWN]
    end = max((values[-1][0] for _, values in lines), default=1) or 1
    top = _rounded(max((value for _, values in lines for _, value in values), default=1))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(seconds: float) -> float:
        return LEFT + seconds / end * (right - LEFT)

    def y(value: float) -> float:
        return bottom - value / top * (bottom - TOP)

    parts = [f'<text class="title" x="0" y="12">{html.escape(chart.title)}</text>']
    for share in (0, 0.5, 1):
        at = y(share * top)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(share * top)}</text>'
        )
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">0</text>')
    parts.append(f'<text x="{right}" y="{HEIGHT - 6}" text-anchor="end">{end / 60:.0f} min</text>')
    places = _apart([y(values[-1][1]) for _, values in lines])
    for number, (name, values) in enumerate(lines):
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in values)
        parts.append(f'<polyline class="series s{number}" points="{points}"/>')
        parts.append(
            f'<text class="t{number}" x="{right + 6}" y="{places[number] + 4:.1f}">'
            f"{html.escape(name)}</text>"
        )
    return parts


def _apart(wanted: list[float]) -> list[float]:
    """Returns places for labels near those that are wanted, none on another. They come from the lowest."""
    places: dict[int, float] = {}
    floor = float(HEIGHT)
    for number in sorted(range(len(wanted)), key=lambda each: -wanted[each]):
        floor = min(wanted[number], floor - LABEL)
        places[number] = floor
    return [places[number] for number in range(len(wanted))]


def _rounded(value: float) -> float:
    """Returns the next 1, 2 or 5 with zeros."""
    unit = 1.0
    while unit < value:
        unit *= 10
    while unit / 10 >= value > 0:
        unit /= 10
    return next((unit * part for part in (0.2, 0.5) if unit * part >= value), unit)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"
