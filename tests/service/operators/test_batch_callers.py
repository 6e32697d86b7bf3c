"""A batch goes on for as long as who started it may do its act."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.kit.world import World

from common.caller import Caller
from common.context import SYSTEM_CALLER
from common.contracts.api_keys import ListApiKeys, RevokeApiKey
from common.contracts.assignments import UnassignRole
from common.contracts.user_batches import GetUserBatch, StartUserImport, UserBatch
from common.ids import DASHBOARD
from identity import user_batch_worker

EVERYTHING = frozenset({"*"})
USERS = [{"email": f"u{number}@example.com"} for number in range(150)]


@pytest.fixture(autouse=True)
async def nothing_due(world: World) -> None:
    """Ends the batches of other tests, since the worker sees all applications."""
    await world.owner.execute("DELETE FROM user_batches")


async def started(world: World, caller: Caller) -> str:
    """Starts a batch of two parts, and does the first. Returns its id."""
    batch: UserBatch = await world.call(StartUserImport(users=USERS), caller)
    assert await user_batch_worker.work_once(world.identity)
    return batch.id


async def ended(world: World, batch_id: str) -> tuple[str, int]:
    """Does the rest of the batch. Returns its state, and how many users the application has."""
    while await user_batch_worker.work_once(world.identity):
        pass
    batch = await world.call(GetUserBatch(batch_id=batch_id), SYSTEM_CALLER)
    count: int = await world.owner.fetchval(
        "SELECT count(*) FROM users WHERE app_id = $1 AND email LIKE 'u%'", world.app_id
    )
    assert count == batch.succeeded
    return batch.state, count


async def owned(world: World) -> tuple[str, Caller]:
    """Makes the application of the world one with keys and a team. Returns the team, and the caller
    that its secret key stands for."""
    team = await world.team()
    application = await world.create_application(team)
    world.app_id = application.id
    keys = (await world.call(ListApiKeys(), Caller("secret_key", None, EVERYTHING))).api_keys
    secret = next(key.id for key in keys if key.key_type == "secret")
    return team, Caller("secret_key", secret, EVERYTHING)


async def test_a_batch_stops_with_its_key(world: World) -> None:
    """Users of parts that are not done when the key is revoked are not created. The log says once that
    the batch has stopped."""
    _, key = await owned(world)
    batch_id = await started(world, key)
    await world.call(RevokeApiKey(id=key.id or ""), key)

    assert await ended(world, batch_id) == ("stopped", 100)
    ends = [data for name, data in await world.events() if name == "user_batch_ended"]
    assert [end["state"] for end in ends] == ["stopped"]


@pytest.mark.parametrize("end", ["expires_at = now()", "app_id = $2", "key_type = 'publishable'"])
async def test_only_a_live_secret_key_of_the_application_counts(world: World, end: str) -> None:
    """An expired key, one of another application, and one that proves nothing are none."""
    _, key = await owned(world)
    batch_id = await started(world, key)
    args: list[Any] = [key.id, world.other_app_id][: 2 if "$2" in end else 1]
    await world.owner.execute(f"UPDATE application_api_keys SET {end} WHERE id = $1", *args)

    assert await ended(world, batch_id) == ("stopped", 100)


async def test_a_batch_of_a_live_key_is_done(world: World) -> None:
    """A key that still works finishes its batch."""
    _, key = await owned(world)

    assert await ended(world, await started(world, key)) == ("done", 150)


@pytest.mark.parametrize("end", ["role", "disabled"])
async def test_a_batch_stops_with_the_rights_of_its_user(world: World, end: str) -> None:
    """An administrator with an access token who loses the role, or is disabled, does nothing more."""
    user_id = await world.insert_user(email="boss@example.com")
    await world.assign_role(user_id, "admin")
    boss = replace(await world.caller_of(user_id), by_token=True)
    batch_id = await started(world, boss)
    if end == "role":
        await world.call(UnassignRole(user_id=user_id, role_id="admin"), SYSTEM_CALLER)
    else:
        await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", user_id)

    assert await ended(world, batch_id) == ("stopped", 100)


@pytest.mark.parametrize("role", [None, "member", "developer", "signed out"])
async def test_a_batch_stops_with_the_role_in_the_team(world: World, role: str | None) -> None:
    """A developer who left the team, may only read in it, or has signed out does nothing more to its
    application. One who stays finishes the batch."""
    team, _ = await owned(world)
    member = await world.dashboard_user()
    await world.join(team, member.id or "", "developer", DASHBOARD)
    session = await world.session(member.id or "", app_id=DASHBOARD)
    developer = Caller("developer", member.id, EVERYTHING, session_id=session.session_id)
    batch_id = await started(world, developer)
    if role == "signed out":
        await world.owner.execute(
            "UPDATE user_sessions SET revoked_at = now() WHERE id = $1", session.session_id
        )
    elif role is None:
        await world.owner.execute("DELETE FROM organization_members WHERE user_id = $1", member.id)
    else:
        await world.owner.execute(
            "UPDATE organization_members SET role_id = $2 WHERE user_id = $1", member.id, role
        )

    stays = role == "developer"
    assert await ended(world, batch_id) == (("done", 150) if stays else ("stopped", 100))
