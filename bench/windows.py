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


@dataclass(frozen=True)
class Ratio:
    """Our CPU divided by that of a peer in the same round: the median over the rounds, and the
    extremes."""

    median: float
    lowest: float
    highest: float
    rounds: int


def ratio(rows: Sequence[Row], workload: str, side: str) -> Ratio | None:
    """Returns the ratio of ours to the other side, or None if no round has both without an error."""
    ours, theirs = (by_round(rows, workload, name) for name in (OURS, side))
    shared = sorted(ours.keys() & theirs.keys() - {0})
    return _ratio([ours[number].cpu_us / theirs[number].cpu_us for number in shared])


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


def _ratio(values: list[float]) -> Ratio | None:
    if not values:
        return None
    return Ratio(median(values), min(values), max(values), len(values))
