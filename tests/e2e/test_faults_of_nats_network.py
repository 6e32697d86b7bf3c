"""The services are cut off from NATS, in one direction or in both. They find back by themselves."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.firewall import dropped
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.mark.fault("F9")
@pytest.mark.parametrize(
    "ways", [("dport", "sport"), ("sport",), ("dport",)], ids=["both", "answers", "requests"]
)
async def test_services_are_cut_off(
    fragile: System, fault: FaultReport, ways: tuple[str, ...]
) -> None:
    """Packets to NATS, from NATS or both are dropped, without a word to anybody, until requests fail. Each has
    a clean answer. When the network is back, everything works by itself, and nothing is lost."""
    fault.watch(fragile)
    port = urlsplit(fragile.deployment.nats()[0]).port
    load = RecordedLoad(fragile, history=fault.history)
    async with load.running():
        with dropped(*(["-p", "tcp", f"--{way}", str(port)] for way in ways)):
            await load.more(2)
        fault.strike()
        await fault.works_again(load.kinds)
    said = {name for seen in load.statuses.values() for name in seen}
    assert said <= {"ok", "429", "503", "504"}, load.statuses
    await load.compare()
    async with fragile.bus() as nc:
        await load.compare_events(nc.jetstream())
    await fault.settle()
