"""The figures of served requests: on `$SRV.STATS` (NATS ADR-32), as metrics, and in the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nats.micro.service import EndpointStats
from prometheus_client import Histogram

from common import logs, metrics


@dataclass
class RequestCounts:
    """Requests of one subject. An error is a fault of ours, not a refusal. Requests that are at work
    or were refused as Busy are received and not answered."""

    received: int = 0
    answered: int = 0
    errors: int = 0
    nanoseconds: int = 0


@dataclass
class ServiceStats:
    """Counts the requests of a service, which nats.micro does not see. `of_process` returns what
    concerns the whole process: the first endpoint of the report has it as its `data`."""

    of_process: Callable[[], dict[str, Any]] = dict
    _by_subject: defaultdict[str, RequestCounts] = field(
        default_factory=lambda: defaultdict(RequestCounts)
    )
    _first: str | None = None

    def receive(self, subject: str) -> None:
        """Counts one request that has arrived."""
        self._by_subject[subject].received += 1

    def add(self, subject: str, *, seconds: float, failed: bool) -> None:
        """Counts one answered request."""
        counts = self._by_subject[subject]
        counts.answered += 1
        counts.errors += failed
        counts.nanoseconds += int(seconds * 1e9)

    def complete(self, stats: EndpointStats) -> dict[str, Any] | None:
        """Corrects the figures of an endpoint, and returns its `data`."""
        counts = self._by_subject[stats.subject]
        stats.num_requests = counts.received
        stats.num_errors = counts.errors
        stats.processing_time = counts.nanoseconds
        stats.average_processing_time = counts.nanoseconds // max(counts.answered, 1)
        self._first = self._first or stats.subject
        return self.of_process() if stats.subject == self._first else None


def process_stats(running: int) -> dict[str, Any]:
    """Returns the calls at work, and the password hashes that wait or run in this process."""
    hashing = metrics.value_of(metrics.HASHING)
    return {"running": running, "hash_queue": None if hashing is None else int(hashing)}


_timers: dict[tuple[str, str], Histogram] = {}


def observe_served(subject: str, outcome: str, *, seconds: float, trace: str, level: str) -> None:
    """Adds a request to the metrics, and writes its line of the log."""
    timer = _timers.get((subject, outcome))
    if timer is None:
        timer = _timers[subject, outcome] = metrics.SERVED.labels(subject, outcome)
    timer.observe(seconds)
    logs.lines.write(
        {
            "event": "served",
            "contract": subject,
            "outcome": outcome,
            "ms": round(seconds * 1000, 2),
            "trace": trace,
        },
        level=level,
    )
