"""A platform whose way to PostgreSQL can be slow, cut or lead elsewhere, and one with two processes of each service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.kit.nats_cluster import nats_cluster
from tests.kit.service_processes import ServiceProcesses
from tests.kit.services_on_cluster import Cluster, ServicesOnCluster, started
from tests.kit.standby import PostgresPair
from tests.kit.system import System
from tests.kit.tcp_proxy import TcpProxy, tcp_proxy, with_hosts


@dataclass
class Platform:
    """The services, three NATS servers, and a primary of PostgreSQL with a synchronous standby. `network` is
    between the services and the primary."""

    system: System
    services: ServicesOnCluster
    postgres: PostgresPair
    network: TcpProxy
    database: str

    def owner_dsn(self) -> str:
        """Returns the address of the database at the present primary, as a superuser."""
        return self.postgres.primary.dsn("owner", self.database)

    async def fail_over(self) -> None:
        """Promotes the standby, and lets the network lead to it, as a load balancer does that has lost the primary.
        What was the primary is left as it is."""
        self.network.reset()
        await asyncio.to_thread(self.postgres.promote)
        self.network.target = self.postgres.standby.port
        self.network.reset()

    async def renew(self) -> None:
        """After a failover: the next test has a primary and a standby again."""
        await asyncio.to_thread(self.postgres.renew)


@pytest.fixture(scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Runs the platform. A test leaves it as it found it."""
    postgres = await asyncio.to_thread(PostgresPair.start)
    try:
        database = await asyncio.to_thread(postgres.primary.clone)
        async with tcp_proxy(postgres.primary.port) as network:
            dsns = {
                role: with_hosts(dsn, network.port)
                for role, dsn in postgres.primary.dsns(database).items()
            }
            with nats_cluster(tmp_path_factory.mktemp("nats")) as cluster:
                services = await started(cluster, dsns, tmp_path_factory.mktemp("services"))
                try:
                    yield Platform(System(services), services, postgres, network, database)
                finally:
                    await asyncio.to_thread(services.end)
    finally:
        await asyncio.to_thread(postgres.stop)


@dataclass
class Doubled(System):
    """A platform with two processes of each service. Both gateways answer at one address."""

    deployment: Cluster

    @property
    def services(self) -> ServiceProcesses:
        return self.deployment.services


@pytest.fixture(scope="session")
async def doubled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doubled]:
    """Runs the platform. A test starts again what it ends."""
    folder = tmp_path_factory.mktemp("doubled") / "data"
    settings = {"AERO2_POOL_SIZE": "4"}
    deployment = await asyncio.to_thread(Cluster, folder, settings, 1, replicas=2)
    yield Doubled(deployment)
    await asyncio.to_thread(deployment.end)
