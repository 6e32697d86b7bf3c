"""All services on two clusters: `main`, and `west` for some applications."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.homes import TwoClusters
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD


@pytest.fixture(scope="session")
async def stage(two_clusters: TwoClusters) -> AsyncIterator[World]:
    """One pair of databases for the tests here. Each test makes applications of its own."""
    name = two_clusters.clone()
    world = await World.start(
        two_clusters.dsns(name), "identity", "oidc", "rbac", "tenancy", size=4
    )
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    yield world
    await world.close()
    two_clusters.drop(name)


@pytest.fixture
async def world(stage: World) -> World:
    """`app_id` is an application in `west`, `other_app_id` one in `main`."""
    stage.app_id = (await stage.create_application(home="west")).id
    stage.other_app_id = (await stage.create_application(home="main")).id
    stage.bus.calls.clear()
    return stage
