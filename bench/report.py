"""The tables of a run: medians over the rounds, and ratios of the same round."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench import aims
from bench.aims import FIRST_PEER
from bench.floor import table as floor_table
from bench.measurement import Measurement
from bench.processes import Cpu
from bench.windows import (
    FLOOR,
    FLOOR_TOGETHER,
    HASH,
    OURS,
    TOGETHER,
    Row,
    ageing,
    counted,
    parts,
    ratio,
)

ORDER: Final = (OURS, TOGETHER, FIRST_PEER)
OUR_OWN: Final = (OURS, TOGETHER, FLOOR, FLOOR_TOGETHER, HASH)
HEAD: Final = (
    "| workload | CPU µs (services + Postgres + NATS) | req/s | p50 ms | p99 ms | aged ÷ fresh |"
)


def tables(measurement: Measurement) -> str:
    """Returns everything as Markdown."""
    return "\n\n".join(
        part for part in (side_by_side(measurement), floor_table.table(measurement.rows)) if part
    )


def side_by_side(measurement: Measurement) -> str:
    """Returns the comparison: first what was reached, then the other peers, then all figures."""
    rows = measurement.rows
    sides = sorted({row.side for row in rows}, key=_place)
    peers = [side for side in sides if side not in OUR_OWN]
    parts = [_summary(measurement, peers), aims.table(measurement)]
    if others := [peer for peer in peers if peer != FIRST_PEER]:
        parts.append(ratios(rows, others))
    parts += [absolute(rows, side) for side in sides]
    if measurement.idle:
        parts.append(idle_table(measurement.idle))
    parts.append("\n".join(f"- {name}: {value}" for name, value in measurement.facts.items()))
    return "\n\n".join(part for part in parts if part)


def _place(side: str) -> tuple[int, str]:
    """Returns where a side stands: ours, then the first peer, then the others."""
    return ORDER.index(side) if side in ORDER else len(ORDER), side


def _summary(measurement: Measurement, peers: Sequence[str]) -> str:
    plan = measurement.plan
    counted = max((row.round for row in measurement.rows), default=0)
    with_peers = f" next to {', '.join(peers)}" if peers else ""
    text = (
        f"{counted} rounds of windows of {plan.seconds:g} s{with_peers}. Each cell is the median of "
        f"the rounds (and the extremes). A ratio divides windows of the same round."
    )
    return text if measurement.finished else f"{text} **The run did not finish.**"


def ratios(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Returns our CPU in both shapes divided by that of each peer."""
    sides = [side for side in (OURS, TOGETHER) if any(row.side == side for row in rows)]
    pairs = [(side, peer) for peer in peers for side in sides]
    lines = [
        "| our CPU ÷ another's | " + " | ".join(f"{side} ÷ {peer}" for side, peer in pairs) + " |",
        "|---|" + "---:|" * len(pairs),
    ]
    for workload in dict.fromkeys(row.workload for row in rows):
        found = [ratio(rows, workload, side, peer) for side, peer in pairs]
        if any(found):
            cells = [f"{each.median:.2f}" if each else "–" for each in found]
            lines.append(f"| {workload} | {' | '.join(cells)} |")
    return "\n".join(lines)


def absolute(rows: Sequence[Row], side: str) -> str:
    """Returns the medians of one side."""
    lines = [f"{side}:", "", HEAD, "|---|---|" + "---:|" * 4]
    for workload in dict.fromkeys(row.workload for row in rows if row.side == side):
        windows = counted(rows, workload, side)
        speed, p50, p99 = (
            median(getattr(row, name) for row in windows)
            for name in ("requests_per_second", "p50_us", "p99_us")
        )
        grown = ageing(rows, workload, side)
        errors = sum(row.errors for row in rows if (row.side, row.workload) == (side, workload))
        cells = [
            workload + (f" ({errors} errors)" if errors else ""),
            parts(rows, workload, side),
            f"{speed:,.0f}",
            f"{p50 / 1000:.1f}",
            f"{p99 / 1000:.1f}",
            f"{grown:.2f}" if grown else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def idle_table(idle: dict[str, Cpu]) -> str:
    """Returns the CPU of each side without requests."""
    lines = ["| idle, CPU ms each second | services | Postgres | NATS |", "|---|---:|---:|---:|"]
    lines += [
        f"| {side} | {used.services * 1e3:.1f} | {used.postgres * 1e3:.1f} | {used.nats * 1e3:.1f} |"
        for side, used in idle.items()
    ]
    return "\n".join(lines)
