"""Runs the windows: warms every side, ages the data of all, and measures the sides in turn."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import psutil

from bench.machine import CpuClock, Disturbance, own_cpu
from bench.measurement import Measurement, Plan
from bench.processes import Cpu, cpu
from bench.progress import Progress, minutes, say
from bench.windows import Row
from bench.workloads import Workload

SLICE: Final = 30.0
"""Seconds in which a side ages before its failures are looked at."""
SETTLING: Final = 0.15
"""Seconds for work that follows the requests, such as the outbox."""
READY: Final = 0.9
"""Seconds that a workload takes on average to create its tokens and sessions. Only for estimates."""
REST: Final = 3.0
"""Seconds for what the warming has left to do."""


@dataclass(frozen=True)
class Side:
    """Our deployment, a peer or a floor. `usage` returns the CPU that its requests have used so far,
    `roots` are the processes that it has started."""

    name: str
    workloads: dict[str, Workload]
    usage: Callable[[], Cpu]
    roots: tuple[int, ...]
    ages: bool = True
    """Whether it stores what can make it dearer."""


def warming(side: Side, plan: Plan) -> float:
    """Returns the seconds of warming for each workload of a side. A floor has no JIT and no caches to
    fill, so it needs less."""
    share = plan.warm_side / max(1, len(side.workloads))
    return max(plan.warm, share) if side.ages else max(plan.warm / 2, min(plan.warm, share))


def duration(sides: Sequence[Side], names: Sequence[str], plan: Plan) -> float:
    """Returns about how many seconds a run takes."""
    warm = sum(len(side.workloads) * (warming(side, plan) + READY) for side in sides)
    idle = plan.idle + REST if plan.idle else 0.0
    aged = sum(_planned(sides, name, 0, plan) for name in names) if plan.age else 0.0
    round_ = sum(_planned(sides, name, 1, plan) for name in names)
    return warm + idle + aged + plan.age + plan.rounds * round_


def run(
    sides: Sequence[Side],
    names: Sequence[str],
    plan: Plan,
    store: Callable[[Measurement], None] = lambda measurement: None,
) -> Measurement:
    """Measures the workloads on all sides. With `plan.age`, each is also measured once before the data
    has aged, as round 0. Calls `store` whenever there is something new."""
    measurement = Measurement(plan)
    progress = Progress(duration(sides, names, plan))
    say(f"this takes about {minutes(progress.planned)}")
    for side in sides:
        for name, workload in side.workloads.items():
            if not workload.ready()(warming(side, plan)).requests:
                raise RuntimeError(f"{side.name} answers no request of {name}")
            progress.done(warming(side, plan) + READY, f"{side.name} {name} is warm")
    if plan.idle:
        measurement.idle = _idle(sides, plan.idle)
        progress.done(plan.idle + REST, "idle")
        store(measurement)
    for number in range(0 if plan.age else 1, plan.rounds + 1):
        if plan.age and number == 1:
            _age(measurement, sides, plan.age, progress)
            store(measurement)
        for name in names:
            _measure(measurement, sides, name, number)
            progress.done(_planned(sides, name, number, plan), f"round {number}, {name}")
            store(measurement)
    return measurement


def _planned(sides: Sequence[Side], name: str, number: int, plan: Plan) -> float:
    """Returns the seconds that a workload takes on all sides in a round."""
    return len(_taking_part(sides, name, number)) * (plan.seconds + SETTLING + READY)


def _taking_part(sides: Sequence[Side], name: str, number: int) -> list[Side]:
    return [
        side for side in in_turn(sides, number) if name in side.workloads and (number or side.ages)
    ]


def in_turn(sides: Sequence[Side], number: int) -> Iterator[Side]:
    """Returns the sides in the order of a round: each second one begins with the last."""
    return iter(sides) if number % 2 else reversed(sides)


def _measure(measurement: Measurement, sides: Sequence[Side], name: str, number: int) -> None:
    """Measures a workload on all sides, one right after the other, and all of them again if the machine
    was busy. Whether it was is decided without a look at the figures."""
    for attempt in range(measurement.plan.attempts):
        windows = [
            _window(sides, side, name, number, measurement.plan.seconds)
            for side in _taking_part(sides, name, number)
        ]
        if all(disturbance.is_quiet for _, disturbance in windows):
            break
        if attempt + 1 < measurement.plan.attempts:
            measurement.repeated += len(windows)
            say(f"the machine was busy: {name} again")
    for row, disturbance in windows:
        measurement.rows.append(row)
        measurement.disturbances.append(disturbance)
        say(f"round {number}: {row}")


def _window(
    sides: Sequence[Side], side: Side, name: str, number: int, seconds: float
) -> tuple[Row, Disturbance]:
    """Measures a workload on one side. What fails is a row with an error: the run goes on."""
    try:
        load = side.workloads[name].ready()
        clock, own, before = CpuClock.read(), _own(sides), side.usage()
        result = load(seconds)
        time.sleep(SETTLING)
        used = side.usage() - before
    except Exception as error:
        say(f"{side.name} {name} failed: {error!r:.500}")
        return Row.of_failure(side.name, name, number), Disturbance(0.0, 0.0)
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
    return own_cpu() + sum(_of_roots(side).total for side in sides)


def _age(
    measurement: Measurement, sides: Sequence[Side], seconds: float, progress: Progress
) -> None:
    """Runs whole code flows, or the first workload, on all sides at the same time for so long. It only
    fills data, so they may disturb each other."""
    ageing = [side for side in sides if side.ages and side.workloads]
    left = seconds
    with ThreadPoolExecutor(max(1, len(ageing))) as pool:
        while left > 0:
            slice_ = min(SLICE, left)
            for failure in pool.map(partial(_age_one, slice_), ageing):
                if failure and failure not in measurement.failures:
                    measurement.failures.append(failure)
            left -= slice_
            progress.done(slice_, "ageing")


def _age_one(seconds: float, side: Side) -> str:
    """Returns what failed."""
    workload = side.workloads.get("W6-code-flow") or next(iter(side.workloads.values()))
    try:
        workload.ready()(seconds)
    except Exception as error:
        return f"{side.name} failed while its data aged: {error!r:.300}"
    return ""


def _idle(sides: Sequence[Side], seconds: float) -> dict[str, Cpu]:
    """Returns the CPU that the processes of each side use in a second without requests. A peer's do not
    include PostgreSQL, which is ours."""
    time.sleep(min(seconds, REST))
    before = [_of_roots(side) for side in sides]
    time.sleep(seconds)
    used = [_of_roots(side) - start for side, start in zip(sides, before, strict=True)]
    return {
        side.name: Cpu(one.services / seconds, one.postgres / seconds, one.nats / seconds)
        for side, one in zip(sides, used, strict=True)
        if side.roots and side.ages
    }


def _of_roots(side: Side) -> Cpu:
    """Returns the CPU of the processes of a side. One that has died must not end the run of the
    others."""
    total = Cpu(0.0, 0.0, 0.0)
    for root in side.roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += cpu(root)
    return total
