"""Tests of faults say which row of docs/reliability.md they are for, and what they saw.

@pytest.mark.fault("F7")
async def test_nats_is_killed(fragile: System, fault: FaultReport) -> None:
    fault.watch(fragile)
    load = RecordedLoad(fragile, history=fault.history)
    async with load.running():
        fault.strike()
        fragile.deployment.kill("nats")
        await fault.works_again(load.kinds)
    await load.compare()
    await fault.settle()                # nothing lost, same processes, healthy, queues empty

A test without the fixture counts for its row, too, but has no figures. `make faults` runs all tests with the
marker and writes the document (`tests/kit/reliability.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from tests.kit.fault_rows import ROWS
from tests.kit.history import History
from tests.kit.system import System

WORKS_WITHIN: Final = 120.0
"""Seconds, long enough for a busy machine. How long it took is in the report."""
DRAINED_WITHIN: Final = 120.0
PROPERTY: Final = "fault"


@dataclass
class FaultReport:
    """What a test of a fault saw. The fixture `fault`."""

    history: History = field(default_factory=History)
    figures: dict[str, Any] = field(default_factory=dict)
    _system: System | None = None
    _processes: dict[str, int] = field(default_factory=dict)
    _struck: float | None = None

    def watch(self, system: System) -> None:
        """Remembers which processes run before the fault."""
        self._system, self._processes = system, system.deployment.processes()

    def strike(self) -> None:
        """Notes that the fault begins now."""
        self._struck = self.history.clock()

    async def works_again(self, kinds: Sequence[str], times: int = 5) -> None:
        """Waits until the last requests of each kind, all sent after the fault, have succeeded. The report has
        the time until the first success of the last kind."""
        struck = self.history.clock() if self._struck is None else self._struck
        ends = time.monotonic() + WORKS_WITHIN
        while not self.history.works_since(struck, kinds, times):
            late = [kind for kind in kinds if not self.history.works_since(struck, [kind], times)]
            assert time.monotonic() < ends, {kind: self.history.totals(kind) for kind in late}
            await asyncio.sleep(0.05)
        took = self.history.seconds_until_it_worked(struck, kinds)
        self.figures["seconds"] = max(took, self.figures.get("seconds", 0.0))

    async def settle(self) -> None:
        """Fails if something acknowledged is lost, a process is missing or too many, the platform is not healthy,
        or a queue does not drain."""
        violations, totals = self.history.violations(), self.history.totals()
        self.figures |= {
            "sent": totals.sent,
            "succeeded": totals.ok,
            "failed": totals.failed,
            "unknown": totals.unknown,
            "lost": len(violations),
        }
        self.history.check()
        if self._system is not None:
            await self._platform_settles(self._system)

    async def _platform_settles(self, system: System) -> None:
        ends, state = time.monotonic() + DRAINED_WITHIN, "unreachable"
        while True:
            processes = system.deployment.processes()
            state, waiting, oldest = await _health(system)
            if processes == self._processes and state == "healthy" and not waiting:
                break
            seen = (processes, self._processes, state, waiting)
            assert time.monotonic() < ends, f"not as before: {seen}"
            await asyncio.sleep(0.1)
        self.figures |= {
            "processes": sum(processes.values()),
            "health": state,
            "oldest": oldest,
        }


async def _health(system: System) -> tuple[str, int, float]:
    """Returns the state, how many events wait, and the age of the oldest, as GET /health says."""
    try:
        async with system.http("demo") as http:
            content = (await http.get("/health")).json()
    except (httpx.TransportError, ValueError):
        return "unreachable", 0, 0.0
    queues = content.get("queues")
    relay = queues["relay"].values() if queues else []
    waiting = sum(queue["waiting"] for queue in relay) if queues else -1
    return content["status"], waiting, max((queue["age"] for queue in relay), default=0.0)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Iterator[FaultReport]:
    """The report of the test, for the rows of its marker `fault`."""
    assert request.node.get_closest_marker("fault"), "the test has no marker `fault`"
    report = FaultReport()
    yield report
    request.node.user_properties.append(("figures", report.figures))
    if report.history.operations and "lost" not in report.figures:
        failed = getattr(request.node, "fault_failed", False)
        assert failed, "the test did not await `fault.settle()`"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    """Adds the rows of a test to its reports."""
    report = (yield).get_result()
    rows = [row for mark in item.iter_markers("fault") for row in mark.args]
    if rows:
        item.fault_failed = report.outcome != "passed"  # type: ignore[attr-defined]
        report.user_properties.append((PROPERTY, rows))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses markers that name no row."""
    for item in items:
        for mark in item.iter_markers("fault"):
            if not mark.args or not ROWS.keys() >= set(mark.args):
                raise pytest.UsageError(f"{item.nodeid}: no such row: {mark.args}")
