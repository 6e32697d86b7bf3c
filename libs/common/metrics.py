"""Prometheus metrics. A process exports only those that it maintains: a counter of another's work
would always be 0 and look like good news."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

T = TypeVar("T")

_FINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

SERVED = Histogram(
    "aero2_contract_seconds",
    "Time to answer a contract.",
    ["subject", "outcome"],
    buckets=_FINE,
    registry=None,
)
RUNNING = Gauge("aero2_contracts_running", "Contracts being answered now.", registry=None)
REFUSED = Counter(
    "aero2_contracts_refused_total", "Answered `busy` because the queue was full.", registry=None
)
HTTP = Histogram(
    "aero2_http_seconds",
    "Time to answer HTTP.",
    ["route", "status"],
    buckets=_FINE,
    registry=None,
)
OUTBOX_SENT = Counter(
    "aero2_outbox_sent_total", "Audit events handed to the stream.", registry=None
)
OUTBOX_FAILED = Counter(
    "aero2_outbox_failed_total", "Rounds of the relay that failed.", registry=None
)
OUTBOX_WAITING = Gauge(
    "aero2_outbox_waiting",
    "Audit events that wait for the stream, 10,000 at most.",
    ["writer"],
    registry=None,
)
OUTBOX_AGE = Gauge(
    "aero2_outbox_age_seconds", "Since the oldest of them was written.", ["writer"], registry=None
)
MAIL_WAITING = Gauge(
    "aero2_mail_waiting", "Mails that wait for delivery, 10,000 at most.", registry=None
)
MAIL_AGE = Gauge("aero2_mail_age_seconds", "Since the oldest of them was written.", registry=None)
SEALING_LAG = Gauge(
    "aero2_sealing_lag_seconds",
    "Since this process heard of the oldest audit event that it has not sealed.",
    registry=None,
)
NATS = Gauge("aero2_nats_connected", "1 while connected to NATS.", registry=None)
MAIL = Counter("aero2_mail_total", "Mails by outcome.", ["outcome"], registry=None)
LIMITED = Counter("aero2_http_limited_total", "Refused by the gateway.", ["limit"], registry=None)
HASHING = Gauge("aero2_hash_queue", "Password hashes waiting or running.", registry=None)


def maintain(*metrics: Collector) -> None:
    """Exports these metrics from now on. Called by the code that keeps them up to date."""
    for metric in metrics:
        if metric not in _maintained:
            _maintained.add(metric)
            REGISTRY.register(metric)


_maintained: set[Collector] = set()
_parts: dict[Gauge, WeakSet[Any]] = {}


def follow(
    gauge: Gauge,
    part: T,
    figure: Callable[[T], float],
    combine: Callable[[Iterable[float]], float] = sum,
) -> None:
    """Exports a gauge that combines the figures of its parts, for as long as they exist. A process of
    several services has a part of each."""
    parts = _parts.setdefault(gauge, WeakSet())
    parts.add(part)
    maintain(gauge)
    gauge.set_function(lambda: combine(figure(each) for each in parts))


def value_of(gauge: Gauge) -> float | None:
    """Returns the value of a gauge without labels. Returns None if this process does not maintain it."""
    if gauge not in _maintained:
        return None
    (metric,) = gauge.collect()
    return metric.samples[0].value


class Counted(Protocol):
    """A cache as its metrics see it."""

    name: str
    hits: int
    misses: int

    def __len__(self) -> int: ...


class Caches(Collector):
    """Reads the caches' own counts when asked: a hit costs an addition, not a metric."""

    def __init__(self) -> None:
        self.sources: WeakSet[Counted] = WeakSet()

    def collect(self) -> Iterable[Metric]:
        """Returns the counts of all caches of the process."""
        reads = CounterMetricFamily("aero2_cache", "Cache reads.", labels=["cache", "outcome"])
        sizes = GaugeMetricFamily("aero2_cache_entries", "Entries held.", labels=["cache"])
        totals: dict[str, list[int]] = {}
        for cache in list(self.sources):
            total = totals.setdefault(cache.name, [0, 0, 0])
            total[0] += cache.hits
            total[1] += cache.misses
            total[2] += len(cache)
        for name, (hits, misses, size) in totals.items():
            reads.add_metric([name, "hit"], hits)
            reads.add_metric([name, "miss"], misses)
            sizes.add_metric([name], size)
        return [reads, sizes]


CACHES = Caches()
REGISTRY.register(CACHES)


class Pooled(Protocol):
    """A pool of database connections as its metrics see it."""

    @property
    def name(self) -> str: ...

    def connections(self) -> tuple[int, int, int, int]:
        """Returns the numbers of connections in use, idle and at most, and of waiting callers."""
        ...


class Pools(Collector):
    """Reads the pools' own counts when Prometheus asks."""

    def __init__(self) -> None:
        self.sources: WeakSet[Pooled] = WeakSet()

    def collect(self) -> Iterable[Metric]:
        """Returns the counts of all pools of the process."""
        counts = GaugeMetricFamily(
            "aero2_pool_connections", "Database connections.", labels=["pool", "state"]
        )
        limits = GaugeMetricFamily(
            "aero2_pool_size", "Database connections at most.", labels=["pool"]
        )
        waiters = GaugeMetricFamily(
            "aero2_pool_waiting", "Callers that wait for a database connection.", labels=["pool"]
        )
        if not self.sources:
            return []
        for pool in list(self.sources):
            used, idle, most, waiting = pool.connections()
            counts.add_metric([pool.name, "used"], used)
            counts.add_metric([pool.name, "idle"], idle)
            limits.add_metric([pool.name], most)
            waiters.add_metric([pool.name], waiting)
        return [counts, limits, waiters]


POOLS = Pools()
REGISTRY.register(POOLS)
