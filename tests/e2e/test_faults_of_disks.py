"""The disk of the stream or of PostgreSQL is full. What was acknowledged is there when there is space again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.deployments import Shape
from tests.kit.fault_report import FaultReport
from tests.kit.nats_server import until
from tests.kit.power_loss import fill, small_disk
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture
def own(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A deployment whose disks the test fills."""
    running = System.start(shape, tmp_path_factory.mktemp("full") / "data")
    yield running
    running.stop()


async def waiting(system: System) -> int:
    """Returns how many audit events wait in the database."""
    async with system.http("demo") as http:
        queues = (await http.get("/health")).json()["queues"]
    return sum(queue["waiting"] for queue in queues["relay"].values()) if queues else 0


async def unhealthy(system: System) -> None:
    """Waits until health is bad. It asks seldom, since the load needs the machine."""
    ends = time.monotonic() + 120
    async with system.http("demo") as http:
        while (await http.get("/health")).status_code != 503:
            assert time.monotonic() < ends
            await asyncio.sleep(0.5)


@pytest.mark.fault("F16")
async def test_the_disk_of_the_stream_is_full(own: System, fault: FaultReport) -> None:
    """Sign-ins and writes go on, and their events wait. `/health` says so. With space again,
    each event is on the stream once."""
    folder: Path = own.deployment.folder / "nats"
    await asyncio.to_thread(own.deployment.pause)
    with small_disk(folder, 300):
        await asyncio.to_thread(own.deployment.resume)
        fault.watch(own)
        load = RecordedLoad(own, history=fault.history, pause=0.05)
        async with load.running():
            filler = await asyncio.to_thread(fill, folder)
            await unhealthy(own)
            assert await waiting(own)
            await load.works_again()
            filler.unlink()
            fault.strike()
            await fault.works_again(load.kinds)
        # NATS keeps its error, so `aero2 up` starts it again at some moment, and calls get 503 meanwhile.
        await fault.settle()
        await load.compare()
        async with own.bus() as nc:
            await load.compare_events(nc.jetstream())
        await fault.settle()
        await asyncio.to_thread(own.deployment.pause)


@pytest.mark.fault("F17")
async def test_the_disk_of_postgres_is_full(own: System, fault: FaultReport) -> None:
    """Writes get 503. With space again, everything works by itself, and everything acknowledged is there."""
    folder: Path = own.deployment.folder / "postgres"
    await asyncio.to_thread(own.deployment.pause)
    with small_disk(folder, 400):
        await asyncio.to_thread(own.deployment.resume)
        fault.watch(own)
        load = RecordedLoad(own, history=fault.history)
        async with load.running():
            filler = await asyncio.to_thread(fill, folder)
            await until(lambda: load.statuses["users"]["503"] > 0, within=120)
            await load.more(3)
            filler.unlink()
            fault.strike()
            await fault.works_again(load.kinds)
        await load.compare()
        async with own.bus() as nc:
            await load.compare_events(nc.jetstream())
        await fault.settle()
        await asyncio.to_thread(own.deployment.pause)
