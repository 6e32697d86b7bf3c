"""A circuit breaker: refuses calls to a service immediately while the service does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

TIMEOUTS: Final = 5
"""Timeouts in a row, without an answer in between, that open the breaker of a service."""
PROBE_EVERY: Final = 1.0
"""Seconds between the calls that pass while the breaker is open. An answer to one closes it."""


@dataclass
class _Silence:
    timeouts: int = 0
    probed: float = 0.0


@dataclass
class CircuitBreaker:
    """One breaker for all services. Any answer, also an error, shows that a service is alive. The
    breaker stays closed while other replicas work, or while only the requests of one application
    are slow."""

    clock: Callable[[], float] = time.monotonic
    _services: dict[str, _Silence] = field(default_factory=dict)

    def admit(self, service: str) -> bool:
        """Returns whether a call may be sent: always while closed, and once each PROBE_EVERY seconds
        while open."""
        state = self._services.get(service)
        if state is None or state.timeouts < TIMEOUTS:
            return True
        now = self.clock()
        if now - state.probed < PROBE_EVERY:
            return False
        state.probed = now
        return True

    def answered(self, service: str) -> None:
        """Closes the breaker of a service, because it answers."""
        self._services.pop(service, None)

    def timed_out(self, service: str) -> None:
        """Counts a call that had no answer in time."""
        self._services.setdefault(service, _Silence()).timeouts += 1


def service_of(subject: str) -> str:
    """Returns the service that serves a contract's subject (`<service>.<noun>.<verb>`)."""
    return subject.partition(".")[0]
