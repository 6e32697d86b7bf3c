"""The services start with the settings of two clusters, as their processes do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.kit.homes import TwoClusters
from tests.kit.nats_server import start
from tests.kit.world import MASTER_KEY

from aero2.moves import command
from common.audit import STREAM
from common.clusters import homes_in_use
from common.connections import connect
from common.context import system_context
from common.contracts.applications import CreateApplication, DeleteApplication
from common.contracts.tenants import GetTenant
from common.contracts.users import CreateUser, ListUsers
from common.environment_settings import read_settings
from common.homes import MAIN
from common.ids import DASHBOARD
from common.outbox import ensure_stream
from common.problems import Busy
from common.process_life import ServiceLife, retry_until_done
from tenancy.stream_refill import StreamRefill

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
SERVICES = ("rbac", "oidc", "identity", "tenancy")


def environment(dsns: dict[str, str], nats: str) -> dict[str, str]:
    """Returns the variables of all services in one process, each with its own role."""
    variables = {"AERO2_MASTER_KEY": MASTER_KEY, "AERO2_NATS_URL": nats, "AERO2_METRICS_PORT": "0"}
    for key, dsn in dsns.items():
        role, _, cluster = key.partition("@")
        if role == "owner":
            continue
        suffix = f"_{cluster.upper()}" if cluster else ""
        variables[f"AERO2_{role.upper()}_DATABASE_URL{suffix}"] = dsn
    return variables


async def test_services_serve_both_clusters(
    two_clusters: TwoClusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four start. An application in `west` is made, used, moved to `main` and deleted over NATS. A stream that was lost is
    refilled from the log of each cluster, with the applications that live there."""
    name = two_clusters.clone()
    nats = start(tmp_path)
    for variable, value in environment(two_clusters.dsns(name), nats.url).items():
        monkeypatch.setenv(variable, value)
    lives: list[ServiceLife] = []
    for service in SERVICES:
        program = import_module(f"{service}.__main__").SERVICE
        settings = read_settings(program.settings_class, service)
        lives.append(await program.prepare(settings)(None))
    caller: Any = await connect(settings, "tenancy")
    bus, system = caller.bus, system_context(DASHBOARD, within=30)

    new = await bus.call(system, CreateApplication(name="Shop", slug="west-shop", home="west"))
    inside = system_context(new.id, within=30, home=new.home)
    await bus.call(inside, CreateUser(email="ann@example.com"))
    listed = await bus.call(inside, ListUsers())

    assert new.state == "active"
    assert new.home == "west"
    assert len(listed.users) == 1
    async with lives[-1].deps.db.unbound_autocommit() as db:
        assert await homes_in_use(db) == ["main", "west"]
    await caller.js.delete_stream(STREAM)
    await ensure_stream(caller.js)
    refilled = [
        {
            done.app_id
            async for done in StreamRefill(each.db, each.relay_db, caller.js).run(HOUR_AGO)
        }
        for each in lives[-1].deps.everywhere()
    ]
    assert refilled == [{DASHBOARD}, {new.id}]
    for variable, role in (("", "owner"), ("_WEST", "owner@west")):
        url = two_clusters.dsns(name)[role]
        monkeypatch.setenv(f"AERO2_OWNER_DATABASE_URL{variable}", url)
    lines: list[str] = []
    await command.run("west-shop", "main", abort=False, busy=30, report=lines.append)
    moved = system_context(new.id, within=30, home=MAIN)
    assert len((await bus.call(moved, ListUsers())).users) == 1
    assert (await bus.call(moved, GetTenant())).home == MAIN
    with pytest.raises(Busy):
        await bus.call(system_context(new.id, within=30, home="west"), ListUsers())
    assert not any("postgres" in line for line in lines)
    await bus.call(system, DeleteApplication(slug="west-shop", confirm="west-shop"))

    async def gone() -> None:
        async with lives[-1].deps.db.unbound_autocommit() as db:
            if await homes_in_use(db) != ["main"]:
                raise ConnectionError
            if await db.fetchval(
                "-- any-tenant: a test\nSELECT true FROM applications WHERE slug = 'west-shop'"
            ):
                raise ConnectionError

    async with asyncio.timeout(60):
        await retry_until_done(gone, "deletion")
    for life in lives:
        await life.drain(True)
        for task in life.links.tasks:
            task.cancel()
        for database in life.links.databases:
            await database.close()
        await life.links.nc.close()
    await caller.nc.close()
    nats.stop()
    two_clusters.drop(name)
