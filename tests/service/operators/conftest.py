"""identity, tenancy and rbac, each with its own role, on one database: what operators do across applications."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.kit.callers import now
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Context
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD, new_id
from common.testing import context
from tenancy.hosts import Hosts


@pytest.fixture(scope="session")
async def operators_stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests here. Each test gets applications of its own."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "identity",
        "tenancy",
        "rbac",
        size=6,
        options={
            "identity": {"operator_email": "boss@platform.example"},
            "tenancy": {"hosts": Hosts("https", "id.example.com")},
        },
    )
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    yield world
    await world.close()
    postgres.drop(name)


@pytest.fixture
async def world(operators_stage: World) -> World:
    world = operators_stage
    world.app_id, world.other_app_id = await world.application(), await world.application()
    world.bus.calls.clear()
    return world


@pytest.fixture
async def operator(world: World) -> Context:
    """The context of an operator who has just signed in to the Dashboard."""
    caller = await world.dashboard_user("operator", email=f"{new_id()}@platform.example")
    return context(
        DASHBOARD,
        replace(caller, session_id=new_id(), proven_at=now()),
        ip="203.0.113.9",
        within=15,
    )


@pytest.fixture
async def developer(world: World) -> Context:
    """The context of a developer who is no operator."""
    caller = await world.dashboard_user("developer", email=f"{new_id()}@team.example")
    return context(DASHBOARD, replace(caller, session_id=new_id(), proven_at=now()), within=15)
