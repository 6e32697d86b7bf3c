"""Metrics that are read from caches and pools when Prometheus asks: using them costs an addition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from common.pool_limits import PoolWaits


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


class HasWaits(Protocol):
    """A pool that counts the callers that had to wait."""

    waits: PoolWaits


class Pooled(Protocol):
    """A pool of database connections as its metrics see it."""

    @property
    def name(self) -> str: ...

    def connections(self) -> tuple[int, int, int, int]:
        """Returns the numbers of connections in use, idle and at most, and of waiting callers."""
        ...

    @property
    def pool(self) -> HasWaits: ...


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
        waits = SummaryMetricFamily(
            "aero2_pool_wait_seconds", "Waits for a database connection.", labels=["pool"]
        )
        timeouts = CounterMetricFamily(
            "aero2_pool_timeouts_total", "Callers that got no connection in time.", labels=["pool"]
        )
        if not self.sources:
            return []
        for pool in list(self.sources):
            used, idle, most, waiting = pool.connections()
            counts.add_metric([pool.name, "used"], used)
            counts.add_metric([pool.name, "idle"], idle)
            limits.add_metric([pool.name], most)
            waiters.add_metric([pool.name], waiting)
            waits.add_metric([pool.name], pool.pool.waits.callers, pool.pool.waits.seconds)
            timeouts.add_metric([pool.name], pool.pool.waits.timeouts)
        return [counts, limits, waiters, waits, timeouts]


POOLS = Pools()
REGISTRY.register(POOLS)
