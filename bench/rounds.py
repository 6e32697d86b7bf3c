"""Runs the windows: warms every side, ages its data, and measures the sides in turn."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.machine import CpuClock, Disturbance, own_cpu
from bench.processes import Cpu, cpu
from bench.windows import Row
from bench.workloads import Workload

SLICE: Final = 10.0
"""Seconds in which one side ages before it is the other's turn."""
SETTLING: Final = 0.15
"""Seconds for work that follows the requests, such as the outbox."""


@dataclass(frozen=True)
class Side:
    """Our deployment or a peer. `usage` returns the CPU that its requests have used so far, `roots` are
    the processes that it has started."""

    name: str
    workloads: dict[str, Workload]
    usage: Callable[[], Cpu]
    roots: tuple[int]


@dataclass(frozen=True)
class Plan:
    """How long everything takes, in seconds, and how many rounds are counted."""

    seconds: float
    rounds: int
    warm: float
    age: float
    idle: float


@dataclass
class Measurement:
    """What a run has measured."""

    rows: list[Row] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    idle: dict[str, Cpu] = field(default_factory=dict)
    """By side: CPU seconds in each second without requests."""


def run(sides: Sequence[Side], names: Sequence[str], plan: Plan) -> Measurement:
    """Measures the workloads on all sides. With `plan.age`, each is also measured once before the data
    has aged, as round 0."""
    measurement = Measurement()
    for side in sides:
        for name, workload in side.workloads.items():
            _say(f"warming {side.name} {name}")
            workload.ready()(plan.warm)
    for side in sides:
        measurement.idle[side.name] = _idle(side, plan.idle)
    if plan.age:
        _round(measurement, sides, names, 0, plan.seconds)
        _age(sides, plan.age)
    for number in range(1, plan.rounds + 1):
        _round(measurement, sides, names, number, plan.seconds)
    return measurement


def _round(
    measurement: Measurement,
    sides: Sequence[Side],
    names: Sequence[str],
    number: int,
    seconds: float,
) -> None:
    """Measures each workload on all sides, one right after the other."""
    for name in names:
        for side in in_turn(sides, number):
            if name in side.workloads:
                row, disturbance = _window(sides, side, name, number, seconds)
                measurement.rows.append(row)
                measurement.disturbances.append(disturbance)
                _say(f"round {number}: {row}")


def in_turn(sides: Sequence[Side], number: int) -> Iterator[Side]:
    """Returns the sides in the order of a round: each second one begins with the last."""
    return iter(sides) if number % 2 else reversed(sides)


def _window(
    sides: Sequence[Side], side: Side, name: str, number: int, seconds: float
) -> tuple[Row, Disturbance]:
    load = side.workloads[name].ready()
    clock, own, before = CpuClock.read(), _own(sides), side.usage()
    result = load(seconds)
    time.sleep(SETTLING)
    used = side.usage() - before
    disturbance = Disturbance.between(
        clock, CpuClock.read(), _own(sides) - own, os.cpu_count() or 1
    )
    each = 1e6 / max(1, result.requests)
    row = Row(
        side=side.name,
        workload=name,
        round=number,
        requests_per_second=round(result.requests / result.seconds, 1),
        p50_us=result.p50,
        p99_us=result.p99,
        cpu_us=round(used.total * each, 1),
        services_us=round(used.services * each, 1),
        postgres_us=round(used.postgres * each, 1),
        nats_us=round(used.nats * each, 1),
        errors=result.errors,
    )
    return row, disturbance


def _own(sides: Sequence[Side]) -> float:
    """Returns the CPU seconds of every process of the measurement."""
    return own_cpu() + sum(cpu(root).total for side in sides for root in side.roots)


def _age(sides: Sequence[Side], seconds: float) -> None:
    """Runs whole code flows, or the first workload, on every side for so long."""
    end = time.monotonic() + seconds * len(sides)
    while time.monotonic() < end:
        for side in sides:
            workload = side.workloads.get("W6-code-flow") or next(iter(side.workloads.values()))
            workload.ready()(min(SLICE, seconds))
        _say(f"ageing, {max(0.0, end - time.monotonic()):.0f} s left")


def _idle(side: Side, seconds: float) -> Cpu:
    if not seconds:
        return Cpu(0.0, 0.0, 0.0)
    _say(f"{side.name} is idle")
    time.sleep(min(seconds, 3.0))  # what the warming has left to do
    before = _of_roots(side)
    time.sleep(seconds)
    used = _of_roots(side) - before
    return Cpu(used.services / seconds, used.postgres / seconds, used.nats / seconds)


def _of_roots(side: Side) -> Cpu:
    """Returns the CPU of the side's own processes. A peer's do not include PostgreSQL, which is ours."""
    (root,) = side.roots
    return cpu(root)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
