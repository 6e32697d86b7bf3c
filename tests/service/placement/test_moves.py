"""`aero2 apps move`: an application changes its home while it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.kit.callers import ADMIN
from tests.kit.homes import TwoClusters
from tests.kit.moves import move_application, start_movable
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.roles import SeedRoles
from common.contracts.users import CreateUser, ListUsers
from common.ids import DASHBOARD


@pytest.fixture(scope="session")
def movable() -> Iterator[TwoClusters]:
    """Two servers of their own, with logical replication."""
    servers = start_movable()
    yield servers
    servers.west.stop()
    servers.first.stop()


@pytest.fixture
async def world(movable: TwoClusters) -> AsyncIterator[World]:
    """All services on both. `app_id` is in `main`, `other_app_id` too."""
    name = movable.clone()
    world = await World.start(movable.dsns(name), "identity", "oidc", "rbac", "tenancy", size=4)
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    world.app_id = (await world.create_application(home="main")).id
    world.other_app_id = (await world.create_application(home="main")).id
    yield world
    await world.close()
    movable.drop(name)


async def test_an_application_moves_and_comes_back(world: World) -> None:
    """Users, sessions and refresh tokens work in the new home, and again in the old one. Nothing is left
    behind."""
    signed_in = await world.sign_in(await world.user("ann@example.com"))
    person = await world.person()
    client = await world.client()
    tokens = await world.redeem(client, await world.code(client, person))

    for target in ("west", "main"):
        lines = await move_application(world, world.app_id, target)
        assert any("rows are alike" in line for line in lines), lines
        assert world.home == target
        tokens = await world.refresh(client, tokens.refresh_token)
        assert await world.live_session(signed_in.token)
        await world.call(CreateUser(email=f"{target}@example.com"), ADMIN)
        listed = await world.call(ListUsers(), ADMIN)
        assert len(listed.users) == {"west": 3, "main": 4}[target]
