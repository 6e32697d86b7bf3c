"""The figures that a service reports on `$SRV.STATS` (NATS ADR-32)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nats.micro.service import EndpointStats

from common import metrics


@dataclass
class AnsweredRequests:
    """Requests of one subject that were answered. An error is a fault of ours, not a refusal."""

    requests: int = 0
    errors: int = 0
    nanoseconds: int = 0


@dataclass
class ServiceStats:
    """Counts the requests of a service. nats.micro alone would report only how long it takes to start
    the task of a request, and never an error. `of_process` returns what concerns the whole process:
    the first endpoint of the report has it as its `data`."""

    of_process: Callable[[], dict[str, Any]] = dict
    _by_subject: dict[str, AnsweredRequests] = field(default_factory=dict)
    _first: str | None = None

    def add(self, subject: str, *, seconds: float, failed: bool) -> None:
        """Counts one answered request."""
        answered = self._by_subject.get(subject)
        if answered is None:
            answered = self._by_subject[subject] = AnsweredRequests()
        answered.requests += 1
        answered.errors += failed
        answered.nanoseconds += int(seconds * 1e9)

    def complete(self, stats: EndpointStats) -> dict[str, Any] | None:
        """Corrects the figures of an endpoint, and returns its `data`."""
        answered = self._by_subject.get(stats.subject, AnsweredRequests())
        stats.num_requests = answered.requests  # nats.micro does not see those in memory
        stats.num_errors = answered.errors
        stats.processing_time = answered.nanoseconds
        stats.average_processing_time = answered.nanoseconds // max(answered.requests, 1)
        self._first = self._first or stats.subject
        return self.of_process() if stats.subject == self._first else None


def process_stats(running: int) -> dict[str, Any]:
    """Returns the calls at work, and the password hashes that wait or run in this process."""
    hashing = metrics.value_of(metrics.HASHING)
    return {"running": running, "hash_queue": None if hashing is None else int(hashing)}
