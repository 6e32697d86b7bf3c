"""The primary of PostgreSQL loses its power, or hands over, under sign-ins, refreshes and writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.kit.etcd import etcd
from tests.kit.nats_cluster import nats_cluster
from tests.kit.patroni import PROGRAM, PatroniPair
from tests.kit.postgres import ROLES
from tests.kit.recorded_load import RecordedLoad
from tests.kit.services_on_cluster import ServicesOnCluster, started
from tests.kit.system import System

from aero2.migrate import ROLES as DATABASE_ROLES
from aero2.migrate import migrate

pytestmark = [
    pytest.mark.patroni,
    pytest.mark.timeout(600),
    pytest.mark.skipif(etcd() is None, reason="etcd is missing (Debian's etcd-server)"),
    pytest.mark.skipif(
        not PROGRAM.exists(), reason="`make test` installs Patroni in .venv/patroni"
    ),
]


@dataclass
class Platform:
    """The services, on two PostgreSQL nodes and three NATS servers."""

    postgres: PatroniPair
    system: System


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The services wait for nothing but what they find in their DSN: both nodes."""
    pair = await asyncio.to_thread(PatroniPair.start)
    try:
        await migrate(pair.dsn("owner"), {role: pair.passwords[role] for role in DATABASE_ROLES})
        dsns = {role: pair.dsn(role) for role in ROLES}
        with nats_cluster(tmp_path_factory.mktemp("nats")) as cluster:
            services: ServicesOnCluster = await started(
                cluster, dsns, tmp_path_factory.mktemp("services")
            )
            try:
                yield Platform(pair, System(services))
            finally:
                await asyncio.to_thread(services.end)
    finally:
        await asyncio.to_thread(pair.stop)


async def test_the_primary_loses_its_power(platform: Platform) -> None:
    """Patroni promotes the standby. Services find it by themselves: every answer meanwhile is a success or a
    clean refusal, and all that was acknowledged is there. The old primary comes back as a standby."""
    pair, load = platform.postgres, RecordedLoad(platform.system)
    old = str(pair.leader)
    async with load.running():
        await asyncio.to_thread(pair.kill, old)
        await asyncio.to_thread(pair.wait_for, lambda: pair.leader not in (None, old))
        await load.works_again()

    await load.compare()
    assert load.succeeded("refreshes"), load.report()
    await asyncio.to_thread(pair.launch, old)
    await asyncio.to_thread(pair.wait_for, lambda: pair.synchronous_standby == old)


@pytest.mark.long
async def test_a_switchover(platform: Platform) -> None:
    """The same when an operator hands over, back and forth."""
    pair, load = platform.postgres, RecordedLoad(platform.system)
    async with load.running():
        for _ in range(2):
            await asyncio.to_thread(pair.wait_for, lambda: pair.synchronous_standby is not None)
            await asyncio.to_thread(pair.switch_over)
            await load.works_again()

    await load.compare()
    assert load.succeeded("refreshes"), load.report()
