"""Prometheus metrics. A process exports those that it maintains: a counter of another's work would
stand at 0 for ever and look like good news."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

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
MAIL = Counter("aero2_mail_total", "Mails by outcome.", ["outcome"], registry=None)
LIMITED = Counter("aero2_http_limited_total", "Refused by the gateway.", ["limit"], registry=None)
HASHING = Gauge("aero2_hash_queue", "Password hashes waiting or running.", registry=None)


def maintain(*metrics: Collector) -> None:
    """Export these from now on: called by whoever keeps them up to date."""
    for metric in metrics:
        if metric not in _maintained:
            _maintained.add(metric)
            REGISTRY.register(metric)


_maintained: set[Collector] = set()


class Counted(Protocol):
    """A cache as its metrics see it."""

    name: str
    hits: int
    misses: int

    def __len__(self) -> int: ...


class Caches(Collector):
    """Reads the caches' own counts when asked: a hit costs an addition, not a metric."""

    def __init__(self) -> None:
        self.known: WeakSet[Counted] = WeakSet()

    def collect(self) -> Iterable[Metric]:
        reads = CounterMetricFamily("aero2_cache", "Cache reads.", labels=["cache", "outcome"])
        sizes = GaugeMetricFamily("aero2_cache_entries", "Entries held.", labels=["cache"])
        totals: dict[str, list[int]] = {}
        for cache in list(self.known):
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
