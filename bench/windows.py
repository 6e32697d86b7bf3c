"""Pairs the figures of two sides: only windows of the same round are compared.

A machine drifts by a third within an hour. Both sides of a round ran within seconds of each other, so
their ratio is free of the drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

OURS = "aero2"
TOGETHER = "together"
FLOOR = "floor"
FLOOR_TOGETHER = "floor in one process"
HASH = "hash"


@dataclass(frozen=True)
class Row:
    """One window: one run of one workload on one side. CPU is in µs per request. Round 0 is before
    the data has aged."""

    side: str
    workload: str
    round: int
    requests_per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float
    services_us: float
    postgres_us: float
    nats_us: float
    errors: int

    @classmethod
    def of_failure(cls, side: str, workload: str, round: int) -> Row:
        """Returns the row of a window that could not be measured. It never counts."""
        return cls(side, workload, round, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, errors=1)


@dataclass(frozen=True)
class Ratio:
    """The CPU of one side divided by that of another in the same round: the median over the rounds, and
    the extremes."""

    median: float
    lowest: float
    highest: float
    rounds: int


def ratio(rows: Sequence[Row], workload: str, above: str, below: str) -> Ratio | None:
    """Returns the CPU of the side `above` divided by that of the side `below`, or None if no round has
    both without an error."""
    pairs = _pairs(rows, workload, above, below)
    if not pairs:
        return None
    values = [over / under for over, under in pairs]
    return Ratio(median(values), min(values), max(values), len(values))


def difference(
    rows: Sequence[Row], workload: str, more: str, other: str, less: str
) -> float | None:
    """Returns the CPU µs by which a workload of the side `more` costs more than the workload `other`
    of the side `less`: the median over the rounds. None if no round has both."""
    full, part = by_round(rows, workload, more), by_round(rows, other, less)
    shared = full.keys() & part.keys() - {0}
    if not shared:
        return None
    return median(full[number].cpu_us - part[number].cpu_us for number in shared)


def _pairs(
    rows: Sequence[Row], workload: str, first: str, second: str
) -> list[tuple[float, float]]:
    one, other = by_round(rows, workload, first), by_round(rows, workload, second)
    shared = sorted(one.keys() & other.keys() - {0})
    return [(one[number].cpu_us, other[number].cpu_us) for number in shared]


def ageing(rows: Sequence[Row], workload: str, side: str) -> float | None:
    """Returns the cost after the data has aged divided by the cost before, or None if it was not
    measured."""
    windows = by_round(rows, workload, side)
    before = windows.pop(0, None)
    if before is None or not windows:
        return None
    return median(row.cpu_us for row in windows.values()) / before.cpu_us


def by_round(rows: Sequence[Row], workload: str, side: str) -> dict[int, Row]:
    """Returns the windows of one side that count, by round: those without an error."""
    return {
        row.round: row
        for row in rows
        if row.workload == workload and row.side == side and not row.errors and row.cpu_us > 0
    }


def counted(rows: Sequence[Row], workload: str, side: str) -> list[Row]:
    """Returns the windows of the counted rounds, or all if none of them counts."""
    clean = [row for number, row in by_round(rows, workload, side).items() if number]
    return clean or [row for row in rows if row.side == side and row.workload == workload]


def parts(rows: Sequence[Row], workload: str, side: str) -> str:
    """Returns the median CPU µs, and those of each kind of process."""
    windows = counted(rows, workload, side)
    total, services, postgres, nats = (
        median(getattr(row, name) for row in windows)
        for name in ("cpu_us", "services_us", "postgres_us", "nats_us")
    )
    return f"{total:,.0f} ({services:,.0f} + {postgres:,.0f} + {nats:,.0f})"
