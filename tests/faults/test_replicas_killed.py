"""Processes of a service are killed that has two of them: one of the two, or both, again and again."""

from __future__ import annotations

import asyncio
import signal
from itertools import cycle, islice

import pytest
from tests.faults.conftest import Doubled
from tests.kit.fault_report import FaultReport
from tests.kit.history import Outcome
from tests.kit.recorded_load import RecordedLoad

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

KILL = signal.SIGKILL
KINDS = ("users", "tokens", "lists")
"""Each is one request on a connection of its own."""
RELAYS_KILLED = 20


@pytest.mark.fault("F1")
async def test_one_of_two_gateways_is_killed(doubled: Doubled, fault: FaultReport) -> None:
    """Only requests that were under way fail, at most one for each client. Every request that is sent after the
    death succeeds at once, at the same address, with nobody to start the process again."""
    fault.watch(doubled)
    services = doubled.services
    load = RecordedLoad(doubled, kinds=KINDS, history=fault.history)
    deaths = []
    async with load.running():
        for name in services.of("gateway") * 2:
            fault.strike()
            begins = fault.history.clock()
            services.stop(name, KILL)
            deaths.append((begins, fault.history.clock()))
            await fault.works_again(load.kinds, times=10)
            ready = services.readies(name)
            services.start(name)
            await asyncio.to_thread(services.wait_ready, name, ready)

    failed = [each for each in fault.history.operations if each.outcome is not Outcome.OK]
    for each in failed:
        assert any(each.invoked <= dead and each.ended >= begins for begins, dead in deaths), each
    assert len(failed) <= len(deaths) * len(KINDS) * load.workers
    assert load.wrong == []
    await load.compare()
    await fault.settle()


@pytest.mark.fault("F6")
async def test_the_relays_are_killed_again_and_again(doubled: Doubled, fault: FaultReport) -> None:
    """Identity has two relays, of which now one is killed and now the other, twenty times, while their events are
    written. Each user and each session that was acknowledged has one event on the stream."""
    fault.watch(doubled)
    load = RecordedLoad(doubled, workers=1, kinds=("users", "sign-ins"), history=fault.history)
    async with load.running():
        for name in islice(cycle(doubled.services.of("identity")), RELAYS_KILLED):
            fault.strike()
            await asyncio.to_thread(doubled.services.replace_and_wait, name, KILL)
            await load.works_again(1)
        await fault.works_again(load.kinds)

    await load.compare()
    await fault.settle()
    async with doubled.bus() as nc:
        await load.compare_events(nc.jetstream())
    await fault.settle()
