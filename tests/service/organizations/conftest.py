"""tenancy and rbac, each with its own role, on one database, and a DNS server for proofs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.dns_server import Zone
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD
from tenancy.dns_lookup import Dns
from tenancy.hosts import Hosts


@pytest.fixture(scope="session")
async def zone() -> AsyncIterator[Zone]:
    """The DNS server that tenancy asks for proofs of domains."""
    zone = await Zone.start()
    yield zone
    zone.stop()


@pytest.fixture(scope="session")
async def organizations_stage(postgres: Postgres, zone: Zone) -> AsyncIterator[World]:
    """One database for all tests here. Each test gets applications of its own."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "tenancy",
        "rbac",
        stand_ins=("identity",),
        size=12,
        options={
            "tenancy": {"hosts": Hosts("https", "id.example.com"), "dns": Dns([zone.address])}
        },
    )
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    yield world
    await world.close()
    postgres.drop(name)


@pytest.fixture
async def world(organizations_stage: World) -> World:
    world = organizations_stage
    world.app_id, world.other_app_id = await world.application(), await world.application()
    world.invalidation.published.clear()
    world.stand_ins.reset()
    return world
