"""How far a floor is below the peer, and we above the floor."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.aims import FIRST_PEER, RATIOS
from bench.windows import FLOOR, FLOOR_TOGETHER, OURS, TOGETHER, Row, by_round, parts, ratio

SHAPES: Final = (
    (OURS, FLOOR, "two processes and a bus"),
    (TOGETHER, FLOOR_TOGETHER, "one process"),
)
NEXT_TO_NONE: Final = 5.0
"""µs. A ratio to less says nothing."""


def table(rows: Sequence[Row]) -> str:
    """Returns the floors of both shapes, or an empty string if no floor was measured."""
    return "\n\n".join(filter(None, (_shape(rows, *shape) for shape in SHAPES)))


def _shape(rows: Sequence[Row], ours: str, floor: str, title: str) -> str:
    """Returns a row for each workload that has a floor. An aim that is below its floor is bold."""
    workloads = dict.fromkeys(row.workload for row in rows if row.side == floor)
    if not workloads:
        return ""
    lines = [
        f"| {title} | floor, µs (Python + Postgres + NATS) | floor ÷ {FIRST_PEER} | aim | ours ÷ floor "
        "| Python | Postgres |",
        "|---|---|" + "---:|" * 5,
    ]
    return "\n".join([*lines, *(_line(rows, workload, ours, floor) for workload in workloads)])


def _line(rows: Sequence[Row], workload: str, ours: str, floor: str) -> str:
    least, above = ratio(rows, workload, floor, FIRST_PEER), ratio(rows, workload, ours, floor)
    aim = RATIOS[workload].of(ours) if workload in RATIOS else None
    shown = "–" if aim is None else f"{aim:.2f}"
    if aim is not None and least is not None and aim < least.median:
        shown = f"**{shown}, below the floor**"
    cells = [
        workload,
        parts(rows, workload, floor),
        f"{least.median:.2f}" if least else "–",
        shown,
        f"**{above.median:.1f}**" if above else "–",
        _part_ratio(rows, workload, "services_us", ours, floor),
        _part_ratio(rows, workload, "postgres_us", ours, floor),
    ]
    return f"| {' | '.join(cells)} |"


def _part_ratio(rows: Sequence[Row], workload: str, part: str, ours: str, floor: str) -> str:
    """Returns ours ÷ floor of one kind of process, or a dash if the floor has next to none."""
    over, under = by_round(rows, workload, ours), by_round(rows, workload, floor)
    pairs = [
        (getattr(over[number], part), getattr(under[number], part))
        for number in over.keys() & under.keys() - {0}
    ]
    if not pairs or median(least for _, least in pairs) < NEXT_TO_NONE:
        return "–"
    return f"{median(full / least for full, least in pairs if least):.1f}"
