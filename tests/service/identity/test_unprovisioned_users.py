"""Every new user gets the default role and memberships, even if rbac was down at first."""

from __future__ import annotations

import asyncpg
import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.profiles import UserChanges
from common.contracts.user_import import ImportUsers
from common.contracts.users import CreateUser, UpdateUser
from identity import unprovisioned_users, user_provisioning
from identity.unprovisioned_users import Sweep

OLDER = "UPDATE users SET created_at = created_at - interval '2 minutes' WHERE app_id = $1"
WAITING = "SELECT count(*) FROM users WHERE app_id = ANY($1) AND provisioned_at IS NULL"


@pytest.fixture(autouse=True)
async def nobody_waits(world: World) -> None:
    """Marks every user of other tests as provisioned, since the sweep sees all applications."""
    await world.owner.execute(
        "UPDATE users SET provisioned_at = now() WHERE provisioned_at IS NULL"
    )


def sweep_of(world: World) -> Sweep:
    return Sweep(world.identity)


async def waiting(world: World) -> int:
    count: int = await world.owner.fetchval(WAITING, [world.app_id, world.other_app_id])
    return count


async def test_users_made_while_rbac_was_away_get_their_role(world: World) -> None:
    """Users of every application get their role once rbac is back, without a sign-in and only once."""
    world.stand_ins.rbac.running = False
    made = [
        (app, (await world.call(CreateUser(email=f"new@{app}.example"), ADMIN, app)).id)
        for app in sorted((world.app_id, world.other_app_id))
    ]
    for app in (world.app_id, world.other_app_id):
        await world.owner.execute(OLDER, app)
    sweeps = [Sweep(deps) for deps in world.identity.everywhere()]

    async def swept() -> int:
        return sum([await sweep.run_once() for sweep in sweeps])

    assert (await swept(), world.stand_ins.rbac.roles, await waiting(world)) == (0, [], 2)
    world.stand_ins.rbac.running = True
    assert (await swept(), await waiting(world)) == (2, 0)
    assert await swept() == 0
    assert sorted(world.stand_ins.rbac.roles) == [(app, id, False) for app, id in made]


async def test_imported_users_get_their_role(world: World) -> None:
    """Imported users get their role before they sign in for the first time."""
    lines = [{"email": f"moved{n}@example.com", "email_verified": n == 0} for n in range(3)]
    await world.call(ImportUsers(users=lines), caller=ADMIN)
    await world.owner.execute(OLDER, world.app_id)

    assert world.stand_ins.rbac.roles == []
    assert await sweep_of(world).run_once() == 3
    assert len(world.stand_ins.rbac.roles) == 3
    assert len(world.stand_ins.tenancy.joined) == 1


async def test_a_user_who_is_being_made_is_left_alone(world: World) -> None:
    """The sweep leaves a user who was just created to the request that created them."""
    world.stand_ins.rbac.running = False
    await world.call(CreateUser(email="fresh@example.com"), caller=ADMIN)
    world.stand_ins.rbac.running = True

    assert (await sweep_of(world).run_once(), world.stand_ins.rbac.roles) == (0, [])


async def test_users_who_cannot_be_provisioned_delay_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round ends after some failures. The next round continues with the users behind them."""
    monkeypatch.setattr(unprovisioned_users, "MOST_FAILURES", 2)
    lines = [{"email": f"many{n}@example.com"} for n in range(3)]
    await world.call(ImportUsers(users=lines), caller=ADMIN)
    await world.owner.execute(OLDER, world.app_id)
    ids = [
        str(row["id"])
        for row in await world.owner.fetch(
            "SELECT id FROM users WHERE app_id = $1 ORDER BY id", world.app_id
        )
    ]
    provision = user_provisioning.provision_new_user

    async def fails(deps: object, ctx: object, user_id: str, **of_user: object) -> bool:
        return user_id not in ids[:2] and await provision(deps, ctx, user_id, **of_user)  # type: ignore[arg-type]

    monkeypatch.setattr(user_provisioning, "provision_new_user", fails)
    sweep = sweep_of(world)

    assert (await sweep.run_once(), await sweep.run_once()) == (0, 1)
    assert world.stand_ins.rbac.roles == [(world.app_id, ids[2], False)]


async def test_a_verified_address_gets_its_place_later(world: World) -> None:
    """If rbac was down when a code or an administrator verified the address, the sweep lets the
    user join later."""
    by_code = await world.call(CreateUser(email="code@example.com"), caller=ADMIN)
    by_admin = await world.call(CreateUser(email="admin@example.com"), caller=ADMIN)
    await world.owner.execute(OLDER, world.app_id)
    assert await waiting(world) == 0
    world.stand_ins.rbac.running = False
    flow = await world.call(StartEmailCode(email="code@example.com"))
    await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))
    changes = UserChanges(email_verified=True)
    await world.call(UpdateUser(user_id=by_admin.id, changes=changes), caller=ADMIN)
    world.stand_ins.rbac.running = True

    assert (await waiting(world), world.stand_ins.tenancy.joined) == (2, [])
    assert await sweep_of(world).run_once() == 2
    assert set(world.stand_ins.tenancy.joined) == {by_code.id, by_admin.id}


async def test_the_sweep_sees_nothing_else_of_a_user(world: World) -> None:
    """The sweep's database role cannot read the address or update a user."""
    for statement in ("SELECT email FROM users", "UPDATE users SET provisioned_at = now()"):
        async with world.sweep_db.unbound_transaction() as db:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)
