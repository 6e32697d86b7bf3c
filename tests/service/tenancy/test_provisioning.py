"""An interrupted creation of an application is completed later, and the application is never half
there.
"""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.kit.stand_ins import Crash
from tests.kit.world import World

from common.context import system_context
from common.contracts.api_keys import VerifyApiKey
from common.contracts.applications import CreateApplication
from common.contracts.tenants import ResolveHost, UnknownHost
from common.ids import DASHBOARD
from common.problems import Unauthenticated, Unavailable
from common.testing import context
from tenancy import provisioning


async def _age(world: World) -> None:
    """Makes the creation old enough for the sweep."""
    await world.owner.execute("UPDATE applications SET updated_at = now() - interval '1 minute'")


async def test_the_dashboard_is_provisioned_at_start(world: World, tmp_path: Path) -> None:
    """The Dashboard is created by the same steps. Its keys work and are in a file that only its
    owner can read."""
    file = tmp_path / "keys.json"
    deps = replace(world.tenancy, bootstrap_keys_file=str(file))
    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host="localhost:8080"), context(DASHBOARD))

    assert await provisioning.repair(deps)

    keys = orjson.loads(file.read_bytes())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    holder = await world.call(VerifyApiKey(key=keys["secret_key"]), context(DASHBOARD))
    assert (holder.app_id, holder.key_type) == (DASHBOARD, "secret")
    assert world.stand_ins.provisioning.done == [
        ("rbac", DASHBOARD, "dashboard"),
        ("oidc", DASHBOARD, "keys"),
    ]
    for host in ("localhost:8080", "www.localhost:8080", "dashboard.localhost:8080"):
        found = await world.call(ResolveHost(host=host), context(DASHBOARD))
        assert (found.is_dashboard, found.host) == (True, "dashboard.localhost:8080")


async def test_a_second_start_changes_nothing(world: World, tmp_path: Path) -> None:
    """Later and simultaneous starts change nothing: one set of keys and one file."""
    file = tmp_path / "keys.json"
    deps = replace(world.tenancy, bootstrap_keys_file=str(file))

    await asyncio.gather(provisioning.repair(deps), provisioning.repair(deps))
    before = file.read_bytes()
    await provisioning.repair(deps)

    assert before == file.read_bytes()
    count = await world.owner.fetchval(
        "SELECT count(*) FROM application_api_keys WHERE app_id = $1", DASHBOARD
    )
    assert count == 2
    await world.call(VerifyApiKey(key=orjson.loads(before)["publishable_key"]), context(DASHBOARD))


@pytest.mark.parametrize("part", ["rbac", "oidc"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [Crash(), Unavailable("not there")], ids=["crash", "away"])
async def test_a_cut_chain_is_repaired(
    world: World, part: str, when: str, how: BaseException
) -> None:
    """If the creation stops before or after a service's part, the application is not found until
    the sweep completes it."""
    await provisioning.repair(world.tenancy)
    team = await world.team()
    getattr(world.stand_ins.provisioning, when)[part] = how
    ctx = await world.developer(team)

    if isinstance(how, Crash):
        with pytest.raises(Crash):
            await world.call(CreateApplication(name="Shop"), ctx)
        keys = []
    else:
        made = await world.call(CreateApplication(name="Shop"), ctx)
        assert made.state == "creating"
        keys = made.api_keys

    row = await world.owner.fetchrow("SELECT id, slug FROM applications WHERE NOT is_dashboard")
    assert row is not None
    host = ResolveHost(host=f"{row['slug']}.localhost:8080")
    with pytest.raises(UnknownHost):
        await world.call(host, context(DASHBOARD))
    for key in keys:
        with pytest.raises(Unauthenticated):
            await world.call(VerifyApiKey(key=key.key), context(DASHBOARD))

    await _age(world)
    assert await provisioning.repair(world.tenancy)

    assert (await world.call(host, context(DASHBOARD))).app_id == str(row["id"])
    for key in keys:
        await world.call(VerifyApiKey(key=key.key), context(DASHBOARD))
    assert await world.event_types(app_id=str(row["id"])) == ["api_key_created", "api_key_created"]


async def test_a_crash_before_the_last_step_is_repaired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If only the last step is missing, the sweep activates the application."""
    await provisioning.repair(world.tenancy)
    ctx = await world.developer(await world.team())

    async def dies(*_: object, **__: object) -> bool:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("tenancy.queries.provisioning.activate", dies)
        with pytest.raises(Crash):
            await world.call(CreateApplication(name="Shop"), ctx)
    asked = len(world.stand_ins.provisioning.done)
    await _age(world)

    assert await provisioning.repair(world.tenancy)
    assert asked == len(world.stand_ins.provisioning.done)
    states = await world.owner.fetch("SELECT state FROM applications")
    assert {"active"} == {row["state"] for row in states}


async def test_a_crash_before_the_commit_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row, keys and audit records are written in one transaction."""
    ctx = await world.developer(await world.team())

    async def dies(*_: object, **__: object) -> None:
        raise Crash

    monkeypatch.setattr("tenancy.queries.provisioning.add_part", dies)
    with pytest.raises(Crash):
        await world.call(CreateApplication(name="Shop"), ctx)

    counts = await world.owner.fetchrow(
        """
        SELECT (SELECT count(*) FROM applications WHERE NOT is_dashboard) AS applications,
               (SELECT count(*) FROM application_api_keys) AS keys,
               (SELECT count(*) FROM audit_logs) AS records
        """
    )
    assert counts is not None
    assert tuple(counts) == (0, 0, 0)


async def test_one_stuck_application_does_not_hold_up_the_others(world: World) -> None:
    """The sweep continues after an application whose service refuses."""
    team = await world.team()
    for _ in range(2):
        world.stand_ins.provisioning.before["rbac"] = Unavailable("away")
        await world.call(CreateApplication(name="Shop"), await world.developer(team))
    await _age(world)
    world.stand_ins.provisioning.before["rbac"] = Unavailable(
        "away"
    )  # for the Dashboard, which comes first

    assert not await provisioning.repair(world.tenancy)

    active = await world.owner.fetchval(
        "SELECT count(*) FROM applications WHERE state = 'active' AND NOT is_dashboard"
    )
    assert active == 2
    assert await provisioning.repair(world.tenancy)


async def test_an_application_that_is_being_made_is_left_alone(world: World) -> None:
    """The sweep leaves an application to the request that creates it."""
    await provisioning.repair(world.tenancy)
    world.stand_ins.provisioning.before["oidc"] = Unavailable("away")
    await world.call(CreateApplication(name="Shop"), await world.developer(await world.team()))
    asked = len(world.stand_ins.provisioning.done)

    await provisioning.repair(world.tenancy)

    assert asked == len(world.stand_ins.provisioning.done)


async def test_completing_an_unknown_application_does_nothing(world: World) -> None:
    """An application that was deleted meanwhile is not completed."""
    ctx = system_context("0192e4a0-0000-7000-8000-000000000001")

    assert not await provisioning.complete(world.tenancy, ctx)
