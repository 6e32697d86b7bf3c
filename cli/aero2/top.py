"""The figures of `aero2 top`: the changes between two readings of the metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.samples import Sample

from aero2.metrics_snapshot import Snapshot

FAULTS: Final = frozenset({"internal", "unavailable", "deadline_exceeded", "stopping"})
"""Outcomes of contracts that are no refusals."""
ROUTES, CONTRACTS = "aero2_http_seconds", "aero2_contract_seconds"


@dataclass
class Traffic:
    """The answers of one route or contract between two readings. Times are in seconds."""

    name: str
    answers: float = 0.0
    faults: float = 0.0
    seconds: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)
    interval: float = 1.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.interval

    @property
    def mean(self) -> float:
        return self.seconds / self.answers if self.answers else 0.0

    @property
    def p95(self) -> float:
        """The time within which 95 of 100 answers came, as Prometheus estimates it: by a straight line
        in its bucket. Above the last bound, that bound."""
        target = 0.95 * self.buckets.get(math.inf, 0.0)
        below, floor = 0.0, 0.0
        for bound, number in sorted(self.buckets.items()):
            if number >= target > 0:
                if bound == math.inf:
                    return floor
                return floor + (bound - floor) * (target - below) / (number - below)
            below, floor = number, bound
        return 0.0

    @property
    def fault_share(self) -> float:
        return self.faults / self.answers if self.answers else 0.0


SORT_KEYS: Final[dict[str, Callable[[Traffic], tuple[float, str]]]] = {
    "rate": lambda one: (-one.rate, one.name),
    "mean": lambda one: (-one.mean, one.name),
    "p95": lambda one: (-one.p95, one.name),
    "errors": lambda one: (-one.faults, one.name),
    "name": lambda one: (0.0, one.name),
}


@dataclass(frozen=True)
class ProcessUse:
    """A process: CPU as a share of one core, and bytes of memory."""

    name: str
    cpu: float
    memory: float


@dataclass(frozen=True)
class Activity:
    """The traffic, processes and queues of an interval, which is in seconds."""

    interval: float
    routes: list[Traffic]
    contracts: list[Traffic]
    processes: list[ProcessUse]
    queues: dict[str, tuple[float, float | None]]
    """By name: the entries, and the age of the oldest in seconds if that is known."""


def activity(before: Snapshot, after: Snapshot, sort: str) -> Activity:
    """Compares two readings. `sort` is one of SORT_KEYS."""
    interval = max(after.at - before.at, 1e-3)
    past = {_key(sample): sample.value for _, sample in _all(before)}

    def change(sample: Sample) -> float:
        """A counter that is smaller than before began again at 0."""
        earlier = past.get(_key(sample), 0.0)
        return sample.value - earlier if sample.value >= earlier else sample.value

    def traffic(metric: str, name: Callable[[Sample], str]) -> list[Traffic]:
        rows = _traffic(after, metric, name, change)
        for row in rows:
            row.interval = interval
        return sorted((row for row in rows if row.answers > 0), key=SORT_KEYS[sort])

    return Activity(
        interval,
        traffic(ROUTES, lambda one: f"{one.labels.get('method', '')} {one.labels.get('route')}"),
        traffic(CONTRACTS, lambda one: one.labels.get("subject", "")),
        _processes(after, change, interval),
        _queues(after),
    )


def _all(snapshot: Snapshot) -> list[tuple[str, Sample]]:
    return [(name, sample) for name, all_ in snapshot.samples.items() for sample in all_]


def _key(sample: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample.name, frozenset(sample.labels.items())


def _traffic(
    after: Snapshot,
    metric: str,
    name: Callable[[Sample], str],
    change: Callable[[Sample], float],
) -> list[Traffic]:
    rows: dict[str, Traffic] = {}

    def row(sample: Sample) -> Traffic:
        label = name(sample)
        return rows.setdefault(label, Traffic(label))

    for sample in after.of(f"{metric}_count"):
        row(sample).answers += change(sample)
        if _is_fault(sample):
            row(sample).faults += change(sample)
    for sample in after.of(f"{metric}_sum"):
        row(sample).seconds += change(sample)
    for sample in after.of(f"{metric}_bucket"):
        buckets, bound = row(sample).buckets, float(sample.labels["le"])
        buckets[bound] = buckets.get(bound, 0.0) + change(sample)
    return list(rows.values())


def _is_fault(sample: Sample) -> bool:
    status = sample.labels.get("status", "")
    return status.startswith("5") or sample.labels.get("outcome") in FAULTS


def _label(sample: Sample) -> str:
    service, replica = sample.labels.get("service", "process"), sample.labels.get("replica", "0")
    return service if replica == "0" else f"{service}-{replica}"


def _processes(
    after: Snapshot, change: Callable[[Sample], float], interval: float
) -> list[ProcessUse]:
    memory = {_label(sample): sample.value for sample in after.of("process_resident_memory_bytes")}
    used = [
        ProcessUse(_label(sample), change(sample) / interval, memory.get(_label(sample), 0.0))
        for sample in after.of("process_cpu_seconds_total")
    ]
    return sorted(used, key=lambda one: (-one.cpu, one.name))


def _queues(after: Snapshot) -> dict[str, tuple[float, float | None]]:
    """Returns the queues. The queues of all replicas are added up."""
    ages = {sample.labels.get("writer"): sample.value for sample in after.of(AGE)}
    queues: dict[str, tuple[float, float | None]] = {
        f"events of {writer}": (sample.value, ages.get(writer))
        for sample in after.of("aero2_outbox_waiting")
        if (writer := sample.labels.get("writer"))
    }
    if mail := list(after.of("aero2_mail_waiting")):
        oldest = [sample.value for sample in after.of("aero2_mail_age_seconds")]
        queues["mail"] = (mail[0].value, max(oldest, default=0.0))
    for name, metric in {
        "password hashes": "aero2_hash_queue",
        "requests for a slot": "aero2_http_waiting",
        "calls at work": "aero2_contracts_running",
        "waits for the database": "aero2_pool_waiting",
    }.items():
        if values := [sample.value for sample in after.of(metric)]:
            queues[name] = (sum(values), None)
    return queues


AGE: Final = "aero2_outbox_age_seconds"
