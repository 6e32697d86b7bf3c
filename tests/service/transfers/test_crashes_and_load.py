"""Whatever stops an export or an import, and whatever writes meanwhile: all of an application, or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.kit.postgres import Postgres
from tests.service.db.catalogue import describe
from tests.service.transfers.conftest import SLUG, Deployment

from aero2.failures import CommandError
from aero2.transfers import gate
from aero2.transfers.opening import open_application
from common.context import system_context
from common.db import Database
from common.ids import new_id
from common.problems import Busy

pytestmark = pytest.mark.timeout(500)
STEPS = ("execute", "fetch", "fetchrow", "fetchval")


class Killed(BaseException):
    """Ends the work as a signal would, so that nothing of ours can clean up in the database."""


def kill_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Lets the connection of the command die before its statement number `step`."""
    left = step
    for name in STEPS:
        method = getattr(asyncpg.Connection, name)

        async def call(self: Any, *args: Any, method: Any = method, **options: Any) -> Any:
            nonlocal left
            if self._params.server_settings.get("application_name") == "aero2-backup":
                left -= 1
                if left == 0:
                    self.terminate()
                    raise Killed
            return await method(self, *args, **options)

        patch.setattr(asyncpg.Connection, name, call)


@pytest.mark.long
async def test_an_import_that_is_killed_changes_nothing(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Before any of its statements. The next import is as the first would have been."""
    app_id = await source.filled_application()
    rows = await source.rows(app_id)
    await source.export(tmp_path / "shop", target)
    before, schema = await target.everything(), await describe(target.dsns["owner"])
    killed = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            kill_at(killed + 1, patch)
            try:
                await target.take_in(tmp_path / "shop")
                break
            except (Killed, CommandError):
                killed += 1
        if await target.owner.fetchval(
            "SELECT EXISTS (SELECT FROM applications WHERE id = $1)", app_id
        ):
            break  # it was committed; what was left is to open it
        assert await target.everything() == before
        assert await describe(target.dsns["owner"]) == schema
    assert killed > 80
    if await target.owner.fetchval("SELECT closed FROM applications WHERE id = $1", app_id):
        await open_application(target.owner, SLUG, restarted=False)
    assert await target.rows(app_id) == rows
    assert await describe(target.dsns["owner"]) == schema


@pytest.mark.long
async def test_a_final_export_that_is_killed_leaves_no_file(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """And an application that is open, or closed: then it is exported again, or opened."""
    app_id = await source.filled_application()
    rows, schema = await source.rows(app_id), await describe(source.dsns["owner"])
    file = tmp_path / "shop"
    step = 0
    while not file.exists():
        step += 1
        with pytest.MonkeyPatch.context() as patch:
            kill_at(step, patch)
            try:
                await source.export(file, target, final=True)
            except (Killed, CommandError):
                assert not file.exists()
        closed = await source.owner.fetchval("SELECT closed FROM applications WHERE slug = 'shop'")
        if closed and not file.exists() and step % 2:
            await open_application(source.owner, SLUG, restarted=False)
            assert await describe(source.dsns["owner"]) == schema
    assert step > 30
    await target.take_in(file)
    assert await target.rows(app_id) == rows


async def test_a_transaction_that_began_before_is_waited_for(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """What it commits while the application is being closed is in the file: it was acknowledged. What begins
    afterwards is answered with Busy."""
    app_id = await source.filled_application()
    ctx = system_context(app_id)
    db = await Database.connect(source.dsns["rbac"], name="rbac", size=2)
    insert = "INSERT INTO roles (app_id, id, name) VALUES ($1, $2, $2)"
    try:
        async with db.transaction(ctx) as tx:
            await tx.execute(insert, app_id, "begun-before")
            closing = asyncio.create_task(source.export(tmp_path / "shop", target, final=True))
            while not await source.owner.fetchval(
                "SELECT closed FROM applications WHERE slug = 'shop'"
            ):
                await asyncio.sleep(0.01)
            with pytest.raises(Busy):
                async with db.transaction(ctx) as other:
                    await other.execute(insert, app_id, "begun-after")
            with pytest.raises(Busy):
                async with db.reader(ctx) as reader:
                    await reader.fetchval("SELECT count(*) FROM roles WHERE app_id = $1", app_id)
            assert not closing.done()
        await closing
    finally:
        await db.close()
    await target.take_in(tmp_path / "shop")
    names = await target.owner.fetch("SELECT id FROM roles WHERE app_id = $1", app_id)
    assert {row["id"] for row in names} >= {"begun-before"}
    assert {row["id"] for row in names} & {"begun-after"} == set()


@pytest.mark.long
async def test_nothing_acknowledged_is_lost_under_load(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Writers go on until they are refused. Every row whose commit they were told of is at the target, and no
    other."""
    app_id = await source.filled_application()
    ctx = system_context(app_id)
    db = await Database.connect(source.dsns["rbac"], name="rbac", size=8)
    acknowledged: list[str] = []

    async def write() -> None:
        while True:
            id = new_id()
            try:
                async with db.transaction(ctx) as tx:
                    await tx.execute(
                        "INSERT INTO roles (app_id, id, name) VALUES ($1, $2, $2)", app_id, id
                    )
            except Busy:
                return
            acknowledged.append(id)

    writers = [asyncio.create_task(write()) for _ in range(6)]
    while len(acknowledged) < 300:
        await asyncio.sleep(0.01)
    await source.export(tmp_path / "shop", target, final=True)
    await asyncio.gather(*writers)
    await db.close()
    await target.take_in(tmp_path / "shop")
    names = await target.owner.fetch("SELECT id FROM roles WHERE app_id = $1", app_id)
    assert {row["id"] for row in names} == {*acknowledged, "x"} | {
        row["id"] for row in names if row["id"] == app_id
    }


async def test_services_learn_the_keys_before_they_are_let_in(
    source: Deployment, target: Deployment, tmp_path: Path, postgres: Postgres
) -> None:
    """An import beside running services stays closed. It is opened when each of them was started again: one
    that does not know the keys would sign everybody out."""
    app_id = await source.filled_application()
    await source.export(tmp_path / "shop", target, final=True)
    schema = await describe(target.dsns["owner"])
    ctx = system_context(app_id)
    old = await Database.connect(target.dsns["identity"], name="identity", size=2)
    done = await target.take_in(tmp_path / "shop")
    assert not done.opened
    with pytest.raises(CommandError, match=r"run since before the import.*aero2-identity/"):
        await open_application(target.owner, SLUG, restarted=False)
    with pytest.raises(Busy):
        async with old.reader(ctx) as reader:
            await reader.fetchval("SELECT 1")
    await old.close()

    new = await Database.connect(target.dsns["identity"], name="identity", size=2)
    await open_application(target.owner, SLUG, restarted=False)
    async with new.reader(ctx) as reader:
        assert await reader.fetchval("SELECT count(*) FROM users WHERE app_id = $1", app_id) == 1
    await new.close()
    with pytest.raises(CommandError, match="not closed"):
        await open_application(target.owner, SLUG, restarted=False)
    assert await describe(target.dsns["owner"]) == schema


async def test_what_cannot_be_exported(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """A Dashboard, an unknown application, one that lives elsewhere, and one whose batch is not finished."""
    await source.filled_application()
    file = tmp_path / "shop"
    await source.owner.execute("UPDATE user_batches SET state = 'running'")
    with pytest.raises(CommandError, match="1 batches of users are not finished"):
        await source.export(file, target, final=True)
    await source.owner.execute("UPDATE user_batches SET state = 'done'")
    await source.owner.execute("UPDATE applications SET home = 'west' WHERE slug = 'shop'")
    with pytest.raises(CommandError, match="in the cluster west"):
        await source.export(file, target, final=True)
    await source.owner.execute("UPDATE applications SET slug = 'gone' WHERE slug = 'shop'")
    with pytest.raises(CommandError, match="no application shop"):
        await source.export(file, target, final=True)
    await source.owner.execute("UPDATE applications SET slug = 'board' WHERE is_dashboard")
    await source.owner.execute("UPDATE applications SET slug = 'shop' WHERE is_dashboard")
    with pytest.raises(CommandError, match="Dashboard"):
        await source.export(file, target, final=True)
    assert not file.exists()
    assert (
        await source.owner.fetchval("SELECT count(*) FROM applications WHERE closed IS NOT NULL")
        == 0
    )


async def test_the_open_function_is_that_of_the_schema(target: Deployment) -> None:
    """Closing and opening leaves the schema as it was made: a backup compares it."""
    schema = await describe(target.dsns["owner"])
    await target.owner.execute(gate.GUARDED)
    assert await describe(target.dsns["owner"]) != schema
    await target.owner.execute(gate.OPEN)
    assert await describe(target.dsns["owner"]) == schema
