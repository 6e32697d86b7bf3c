"""The rbac service on Postgres with its own database role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD


@pytest.fixture(scope="session")
async def stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests of the service. Each test gets applications of its own."""
    name = postgres.clone()
    world = await World.start(postgres.dsns(name), "rbac")
    world.default_caller = SYSTEM_CALLER
    await world.call(SeedRoles(template="dashboard"), app_id=DASHBOARD)
    yield world
    await world.close()
    postgres.drop(name)


@pytest.fixture
async def world(stage: World) -> World:
    stage.app_id, stage.other_app_id = await stage.application(), await stage.application()
    stage.invalidation.published.clear()
    return stage
