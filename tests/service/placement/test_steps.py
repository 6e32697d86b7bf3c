"""Creating and deleting an application in another cluster are steps. A process may die between any two."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.kit.world import World

from common.bound_transaction import BoundTransaction
from common.contracts.applications import CreateApplication, DeleteApplication
from tenancy import provisioning

MOST: int = 40
"""Commits of a creation or deletion, at most."""


class Killed(BaseException):
    """The process is gone: no handler may catch this."""


@contextmanager
def dying_after(commits: int) -> Iterator[list[int]]:
    """Ends the process after so many commits of transactions, in whatever cluster. Yields the number made."""
    made = [0]
    commit = BoundTransaction.commit

    async def counted(self: BoundTransaction) -> None:
        if made[0] >= commits:
            raise Killed
        await commit(self)
        made[0] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoundTransaction, "commit", counted)
        yield made


async def killed(work: Awaitable[Any], commits: int) -> bool:
    """Returns whether the work was killed after so many commits. False: it ended before."""
    with dying_after(commits):
        try:
            await work
        except Killed:
            return True
    return False


async def recover(world: World, app_id: str) -> None:
    """Lets the sweep of another process do what is left."""
    for owner in (world.main_owner, world.west_owner):
        await owner.execute(
            "UPDATE applications SET updated_at = now() - interval '1 minute' WHERE id = $1", app_id
        )
    for _ in range(5):
        await world.owner.execute("DELETE FROM audit_outbox")  # a relay has sent them
        if await provisioning.repair(world.tenancy):
            return
    raise AssertionError("never finished")


async def traces(world: World, app_id: str) -> dict[str, int]:
    """Returns how many rows each cluster has for the application, by table."""
    found: dict[str, int] = {}
    for cluster in ("main", "west"):
        owner = getattr(world, f"{cluster}_owner")
        digests = {
            table: await owner.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", app_id)
            for table in (
                "users", "roles", "permissions", "signing_keys", "audit_logs", "audit_transfers",
                "application_api_keys", "data_keys",
            )
        }  # fmt: skip
        digests["applications"] = await owner.fetchval(
            "SELECT count(*) FROM applications WHERE id = $1", app_id
        )
        found |= {f"{cluster}.{table}": n for table, n in digests.items() if n}
    return found


@pytest.mark.parametrize("commits", range(7))
async def test_a_creation_survives_each_crash(stage: World, commits: int) -> None:
    """After a crash between any two steps, the sweep completes the application, with one set of keys and
    roles, at its home."""
    team = await stage.team()
    developer = await stage.developer(team)
    stage.new_applications_in("west")
    call = stage.call(CreateApplication(name=f"Shop {commits}", owner_org_id=team), developer)
    was_killed = await killed(call, commits)
    row = await stage.main_owner.fetchrow(
        "SELECT id, home FROM applications WHERE owner_org_id = $1", team
    )
    if commits == 0:
        assert was_killed
        assert row is None
        return
    assert row is not None
    stage.homes[row["id"]] = row["home"]
    await recover(stage, row["id"])
    await stage.databases["tenancy"].carry(stage.databases["tenancy"])  # type: ignore[misc]

    state = await stage.main_owner.fetchrow(
        "SELECT state, at_home, home FROM applications WHERE id = $1", row["id"]
    )
    assert state is not None
    assert tuple(state) == ("active", True, "west")
    rows = await traces(stage, row["id"])
    assert rows["main.application_api_keys"] == 2
    assert not {name for name in rows if name.startswith("main.")} - {
        "main.application_api_keys",
        "main.applications",
    }
    assert rows["west.roles"] > 1
    assert await stage.event_types("api_key_created", app_id=row["id"]) == ["api_key_created"] * 2


@pytest.mark.parametrize("commits", range(5))
async def test_a_deletion_survives_each_crash(world: World, commits: int) -> None:
    """After a crash between any two steps, the sweep deletes every row in both clusters. The home is
    forgotten with its last application."""
    await world.user()
    slug = await world.main_owner.fetchval(
        "SELECT slug FROM applications WHERE id = $1", world.app_id
    )
    await world.owner.execute("DELETE FROM audit_outbox")
    operator = await world.operator()
    was_killed = await killed(
        world.bus.call(operator, DeleteApplication(slug=slug, confirm=slug)), commits
    )
    if was_killed and commits == 0:
        assert (await traces(world, world.app_id))["main.applications"] == 1
        return
    await recover(world, world.app_id)

    assert await traces(world, world.app_id) == {}


async def test_a_home_is_known_while_somebody_lives_there(world: World) -> None:
    """`main` lists the cluster as long as an application lives there, so that no process starts without."""
    known = "SELECT name FROM clusters WHERE NOT is_this"
    assert [row["name"] for row in await world.main_owner.fetch(known)] == ["west"]

    for app_id, home in list(world.homes.items()):
        if home != "west":
            continue
        slug = await world.main_owner.fetchval(
            "SELECT slug FROM applications WHERE id = $1", app_id
        )
        if slug is not None:
            await world.owner.execute("DELETE FROM audit_outbox")
            request = DeleteApplication(slug=slug, confirm=slug)
            await world.bus.call(await world.operator(), request)

    assert await world.main_owner.fetch(known) == []


async def test_a_change_of_settings_survives_a_crash(world: World) -> None:
    """The registry has new settings and the process dies: the sweep copies them to the placeholder."""
    await world.main_owner.execute(
        "UPDATE applications SET name = 'New', at_home = false, updated_at = now() - interval '1 minute'"
        " WHERE id = $1",
        world.app_id,
    )

    await provisioning.repair(world.tenancy)

    placeholder = "SELECT name FROM applications WHERE id = $1"
    assert await world.west_owner.fetchval(placeholder, world.app_id) == "New"
