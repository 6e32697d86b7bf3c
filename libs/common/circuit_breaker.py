"""Fails calls to a service at once while it answers nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

TIMEOUTS: Final = 5
"""Timeouts without an answer in between that open the breaker of a service."""
PROBE_EVERY: Final = 1.0
"""Seconds between the calls that pass while it is open: their answer closes it."""


@dataclass
class _Silence:
    timeouts: int = 0
    probed: float = 0.0


@dataclass
class CircuitBreaker:
    """One for all services. Any answer, an error too, shows that a service is alive: with other
    replicas at work, or with slow requests of one application only, the breaker stays closed."""

    clock: Callable[[], float] = time.monotonic
    _services: dict[str, _Silence] = field(default_factory=dict)

    def admit(self, service: str) -> bool:
        """Whether a call may be sent: always while closed, one each PROBE_EVERY while open."""
        state = self._services.get(service)
        if state is None or state.timeouts < TIMEOUTS:
            return True
        now = self.clock()
        if now - state.probed < PROBE_EVERY:
            return False
        state.probed = now
        return True

    def answered(self, service: str) -> None:
        """Close: the service answers."""
        self._services.pop(service, None)

    def timed_out(self, service: str) -> None:
        """Count a call that had no answer in time."""
        self._services.setdefault(service, _Silence()).timeouts += 1


def service_of(subject: str) -> str:
    """The service that serves a contract's subject (`<service>.<noun>.<verb>`)."""
    return subject.partition(".")[0]
