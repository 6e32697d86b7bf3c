"""A deployment that nobody uses sleeps."""

from __future__ import annotations

import time

import psutil
from tests.kit.instance import Instance

SECONDS = 10
WAKES = 6
"""A second, for each service: its heartbeat, the pings of its connections, and a few looks for work that
another process left behind. Ten a second are one timer of a tenth of a second."""


def wakes(pids: dict[str, int]) -> dict[str, int]:
    """Returns how often the main thread of each process has slept so far."""
    return {name: psutil.Process(pid).num_ctx_switches().voluntary for name, pid in pids.items()}


def test_nobody_wakes_for_nothing(shared: Instance) -> None:
    """Counts how often each process sleeps, which is how often something wakes it."""
    shared.ready()
    services = ("gateway", "identity", "oidc", "rbac", "tenancy", "mail")
    pids = {name: pid for name, pid in shared.children().items() if name in services}
    time.sleep(3)  # what came before is finished
    before = wakes(pids)
    time.sleep(SECONDS)
    after = wakes(pids)
    rates = {name: (after[name] - before[name]) / SECONDS for name in pids}

    assert set(services[:5]) <= set(rates)
    assert max(rates.values()) <= WAKES, rates
