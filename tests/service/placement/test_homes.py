"""An application's rows are in its home, and nowhere else; a call that looks elsewhere is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.kit.callers import ADMIN, PASSWORD
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World

from common.context import Context
from common.contracts.clients import CreateClient
from common.contracts.passwords import SignInWithPassword
from common.contracts.tenants import GetTenant
from common.contracts.users import CreateUser, GetUser, ListUsers
from common.ids import DASHBOARD
from common.problems import Busy

TABLES = ("users", "roles", "signing_keys", "audit_logs", "data_keys", "oauth_clients")


async def count(world: World, cluster: str, table: str, app_id: str) -> int:
    owner = getattr(world, f"{cluster}_owner")
    rows: int = await owner.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", app_id)
    return rows


async def test_rows_are_at_home_only(world: World) -> None:
    """What the services write for an application in `west` is there, and not in `main`; and the other way
    round."""
    for app_id, home, other in (
        (world.app_id, "west", "main"),
        (world.other_app_id, "main", "west"),
    ):
        await world.user(app_id=app_id)
        await world.call(
            CreateClient(name="Web", redirect_uris=["https://rp.example.com/cb"]), ADMIN, app_id
        )
        for table in TABLES:
            assert await count(world, home, table, app_id) > 0, table
            assert await count(world, other, table, app_id) == 0, table


async def test_the_registry_is_in_main(world: World) -> None:
    """Keys and the application itself are found in `main`. The home has a placeholder without an owner."""
    assert await count(world, "main", "application_api_keys", world.app_id) == 2
    assert await count(world, "west", "application_api_keys", world.app_id) == 0
    placeholder = await world.west_owner.fetchrow(
        "SELECT home, owner_org_id FROM applications WHERE id = $1", world.app_id
    )
    assert placeholder is not None
    assert tuple(placeholder) == ("west", None)
    tenant = await world.call(GetTenant(), world.ctx(home="main").as_system())
    assert tenant.home == "west"


async def test_two_applications_share_nothing(world: World) -> None:
    """The same address in both clusters is two users, and neither application finds the other's."""
    ours = await world.user("ann@example.com")
    theirs = await world.user("ann@example.com", app_id=world.other_app_id)

    assert ours.id != theirs.id
    problem = await world.refused(GetUser(user_id=theirs.id), ADMIN)
    assert problem.code == "user_not_found"
    listed = await world.call(ListUsers(), ADMIN)
    assert [user.id for user in listed.users] == [ours.id]


ASTRAY = (
    "a gateway that knows no homes",
    "an application of main",
    "an unknown cluster",
    "the dashboard",
)


def astray(world: World) -> dict[str, Context]:
    """Contexts with a home that is not that of the application."""
    west, main = world.ctx(ADMIN), world.ctx(ADMIN, world.other_app_id)
    return {
        "a gateway that knows no homes": replace(west, home="main"),
        "an application of main": replace(main, home="west"),
        "an unknown cluster": replace(west, home="north"),
        "the dashboard": world.ctx(ADMIN, DASHBOARD, home="west"),
    }


@pytest.mark.parametrize("which", ASTRAY)
async def test_the_wrong_home_is_refused_as_busy(world: World, which: str) -> None:
    """A stale context reads and writes nothing. It is told to try again, never "not found"."""
    ctx = astray(world)[which]
    before = [
        await count(world, "main", "users", ctx.app_id),
        await count(world, "west", "users", ctx.app_id),
    ]

    for request in (ListUsers(), GetUser(user_id=DASHBOARD), CreateUser(email="x@example.com")):
        problem = await world.refused(request, ctx)
        assert isinstance(problem, Busy)
        assert problem.extra["retry_after"]

    after = [
        await count(world, "main", "users", ctx.app_id),
        await count(world, "west", "users", ctx.app_id),
    ]
    assert after == before


@pytest.mark.parametrize("state", ["moving", "arriving"])
async def test_a_fenced_application_is_busy(world: World, state: str) -> None:
    """While an application is moved, nothing is read or written where it is fenced."""
    fence = "UPDATE applications SET home_state = $2 WHERE id = $1"
    await world.west_owner.execute(fence, world.app_id, state)

    for request in (ListUsers(), CreateUser(email="x@example.com")):
        assert isinstance(await world.refused(request, ADMIN), Busy)

    await world.west_owner.execute(fence, world.app_id, "settled")
    assert await world.user("x@example.com")


async def test_a_second_cluster_costs_no_statement(world: World) -> None:
    """A write and a sign-in take the same statements in both clusters: the check is part of the binding."""
    made = []
    for app_id in (world.app_id, world.other_app_id):
        await world.sign_in(await world.user(app_id=app_id), app_id)  # what is made once
        user = await world.user(app_id=app_id)
        with recorded_round_trips() as statements:
            await world.call(
                SignInWithPassword(email=user.email or "", password=PASSWORD), app_id=app_id
            )
            await world.call(GetUser(user_id=user.id), ADMIN, app_id)
        made.append(list(statements))

    assert made[0] == made[1]
    assert not any("clusters" in statement or "bind_at_home" in statement for statement in made[0])
