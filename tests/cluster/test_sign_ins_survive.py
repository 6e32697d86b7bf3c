"""A NATS server that leads the stream is killed under sign-ins."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.history import Outcome
from tests.kit.nats_cluster import (
    NAMES,
    NatsCluster,
    all_current,
    jetstream_ready,
    leader_of,
    nats_cluster,
)
from tests.kit.recorded_load import RecordedLoad
from tests.kit.services_on_cluster import ServicesOnCluster, started
from tests.kit.system import System

from aero2.cluster_config import SYSTEM_USER
from aero2.cluster_state import wait_current

WORKERS = 4


@pytest.fixture(scope="module")
async def platform(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[NatsCluster, ServicesOnCluster]]:
    """Three NATS servers and the services on them."""
    with nats_cluster(tmp_path_factory.mktemp("nats")) as cluster:
        folder: Path = tmp_path_factory.mktemp("services")
        services = await started(cluster, module_database, folder)
        yield cluster, services
        await asyncio.to_thread(services.end)


@pytest.mark.fault("F8")
@pytest.mark.timeout(300)
async def test_the_stream_leader_is_killed_under_sign_ins(
    platform: tuple[NatsCluster, ServicesOnCluster], fault: FaultReport
) -> None:
    """At most one sign-in of each person fails, the one under way: with 503 and Retry-After if the gateway's
    connection was lost, with 504 if the connection of the service was, so that the call is never answered. All
    others succeed while the server is away. Each session that was confirmed has one `login` on the stream, which has
    the whole queue after a moment, and three current copies when the server is back."""
    cluster, services = platform
    fault.watch(System(services))
    people = RecordedLoad(System(services), WORKERS, kinds=["sign-ins"], history=fault.history)
    nc = await cluster.connect("cli")
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    await all_current(js)
    async with people.running():
        leader = await leader_of(js)
        fault.strike()
        killed = fault.history.clock()
        cluster.stop(leader, how=signal.SIGKILL)
        await fault.works_again(people.kinds, times=3 * WORKERS)

    refused = [o for o in fault.history.operations if o.outcome is not Outcome.OK]
    assert people.statuses["sign-ins"].keys() <= {"ok", "503", "504"}
    assert all(each.ended >= killed for each in refused)
    assert set(Counter(each.client for each in refused).values()) <= {1}, refused
    assert await leader_of(js) != leader
    await people.compare()
    await people.compare_events(js)
    cluster.start(leader)
    await all_current(js)
    await fault.settle()
    await nc.close()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_every_server_is_replaced_in_turn(
    platform: tuple[NatsCluster, ServicesOnCluster],
) -> None:
    """As docs/operating.md says: lame duck, stop, start, and the next one when `wait_current` says so. Only calls
    that are on their way between two servers when a service moves may fail, one for each person and server at most.
    Each sign-in has its event on the stream once (nats-server issue 5064, nats.py issue 868)."""
    cluster, services = platform
    people = RecordedLoad(System(services), WORKERS, kinds=["sign-ins"])
    system = await cluster.connect(SYSTEM_USER)
    nc = await cluster.connect("cli")
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    async with people.running():
        for name in NAMES:
            await people.works_again(WORKERS)
            await wait_current(system, 3, 120, print)
            await asyncio.to_thread(cluster.servers[name].leave)
            await asyncio.to_thread(cluster.start, name)
            state = await wait_current(system, 3, 120, print)
            assert state is not None, name
            assert cluster.monitor(name, "/healthz") == {"status": "ok"}

    refused = [o for o in people.history.operations if o.outcome is not Outcome.OK]
    assert people.statuses["sign-ins"].keys() <= {"ok", "503", "504"}
    assert len(refused) <= len(NAMES) * WORKERS, refused
    await people.compare()
    await people.compare_events(js)
    await system.close()
    await nc.close()
