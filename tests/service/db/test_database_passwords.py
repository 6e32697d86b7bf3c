"""Passwords of database roles are replaced while services work, and a rotation that was killed goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from tests.kit.postgres import Postgres

from aero2 import database_passwords
from aero2.embedded.folder import Folder
from aero2.embedded.password_files import database_file, write_database_files
from aero2.embedded.secrets import Secrets
from aero2.migrate import set_passwords
from common import database_opening
from common.database_url import DatabaseUrl
from common.db import Database
from common.pool_limits import PoolLimits
from common.secret_files import FileSecret
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"
ROLE = "rbac"
STEPS = ("_begin", "_accept_both", "_change", "_accept_new", "end_old_connections", "_finish")
EVERY_DAY = "_change"
"""The step at which every run of the tests kills a rotation. The others are `long`."""


class Killed(Exception):
    """The process of the rotation ended here."""


@dataclass
class Deployment:
    """A data folder whose passwords are those of the test's server, and a service under load."""

    folder: Folder
    postgres: Postgres
    name: str
    failures: list[str] = field(default_factory=list)
    answers: int = 0

    def dsn(self, password: str) -> str:
        return f"postgresql://aero2_{ROLE}:{password}@127.0.0.1:{self.postgres.port}/{self.name}"

    async def connect(self, size: int = 6) -> Database:
        """Opens a pool like that of a service, whose password stands in a file."""
        url = f"postgresql://aero2_{ROLE}@127.0.0.1:{self.postgres.port}/{self.name}"
        file = FileSecret("AERO2_DATABASE_PASSWORD_FILE", database_file(self.folder, ROLE))
        return await Database.connect(DatabaseUrl(SecretStr(url), file), name="test", size=size)

    async def is_accepted(self, password: str) -> bool:
        try:
            db = await asyncpg.connect(self.dsn(password))
        except asyncpg.InvalidPasswordError:
            return False
        await db.close()
        return True

    @asynccontextmanager
    async def load(self, db: Database, *, churn: bool = True) -> AsyncIterator[None]:
        """Works with the database all the time. With `churn`, connections end now and then, so that the pool
        opens new ones at every step."""
        going = True

        async def work(number: int) -> None:
            while going:
                try:
                    async with db.transaction(context(APP)) as tx:
                        await tx.fetchval("SELECT pg_sleep(0.001)")
                    self.answers += 1
                    if churn and number == 0 and self.answers % 7 == 0:
                        db.pool.drop_idle()
                except Exception as error:
                    self.failures.append(repr(error))
                    await asyncio.sleep(0.01)

        workers = [asyncio.create_task(work(number)) for number in range(4)]
        yield
        going = False
        await asyncio.gather(*workers)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server of its own: a rotation changes the roles of a server, and ends their connections to all of its
    databases."""
    server = Postgres.start()
    yield server
    server.stop()


@pytest.fixture
async def deployment(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    name = postgres.clone()
    folder = Folder.at(tmp_path / "data")
    secrets = Secrets.fresh()
    secrets.database = {role: postgres.passwords[role] for role in secrets.database}
    secrets.keep(folder)
    write_database_files(folder, secrets)
    owner = postgres.dsn("owner", name)
    monkeypatch.setattr(database_passwords, "_connect", lambda _: asyncpg.connect(owner))
    monkeypatch.setattr(database_opening, "PoolLimits", partial(PoolLimits, sweep=0.1))
    yield Deployment(folder, postgres, name)
    db = await asyncpg.connect(owner)
    async with db.transaction():
        await set_passwords(db, {role: postgres.passwords[role] for role in secrets.database})
    await db.close()
    postgres.drop(name)


async def rotate(deployment: Deployment, within: float = 20.0) -> list[str]:
    said: list[str] = []
    await database_passwords.rotate(deployment.folder, said.append, within=within)
    return said


@pytest.mark.parametrize("churn", [False, True], ids=["steady", "churn"])
async def test_a_password_is_replaced_under_load_and_the_pool_grows(
    deployment: Deployment, churn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call fails. The former password is refused, every connection from before ends by the service's own
    doing, and connections that are opened later have the new one (grafana/grafana#122436)."""
    change = database_passwords._change

    async def slowly(*arguments: Any) -> Any:
        """Leaves time for connections before and after the change."""
        await asyncio.sleep(0.3)
        changed_at = await change(*arguments)
        await asyncio.sleep(0.3)
        return changed_at

    monkeypatch.setattr(database_passwords, "_change", slowly)
    former = Secrets.load(deployment.folder).database[ROLE]
    db = await deployment.connect()
    async with deployment.load(db, churn=churn):
        await asyncio.sleep(0.3)
        before = {connection.get_server_pid() for connection in db.pool.connections()}
        said = await rotate(deployment)
        await asyncio.sleep(0.3)
    after = {connection.get_server_pid() for connection in db.pool.connections()}
    held = [db.pool.acquire(2.0) for _ in range(6)]
    for connection in await asyncio.gather(*held):  # the pool grows to its size
        db.pool.release(connection)
    await db.close()

    assert deployment.failures == []
    assert deployment.answers > 50
    assert len(said) == 1, "services replaced all connections themselves"
    assert before.isdisjoint(after)
    secrets = Secrets.load(deployment.folder)
    assert secrets.database[ROLE] != former
    assert secrets.former_database == {}
    assert not await deployment.is_accepted(former)
    assert database_file(deployment.folder, ROLE).read_text() == f"{secrets.database[ROLE]}\n"


async def test_a_connection_that_nobody_replaces_is_closed(deployment: Deployment) -> None:
    """It may be of somebody who knew the former password. Others stay."""
    former = Secrets.load(deployment.folder).database[ROLE]
    stranger = await asyncpg.connect(deployment.dsn(former))
    superuser = await asyncpg.connect(deployment.postgres.dsn("owner", deployment.name))
    said = await rotate(deployment, within=0.5)

    # asyncpg may be in the middle of reading the server's last words.
    closed = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
    with pytest.raises(closed):
        await stranger.fetchval("SELECT 1")
    assert await superuser.fetchval("SELECT 1") == 1
    assert said[-1] == "1 connections were closed that nobody had replaced."
    await superuser.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "step",
    [step if step == EVERY_DAY else pytest.param(step, marks=pytest.mark.long) for step in STEPS],
)
async def test_a_rotation_that_was_killed_is_finished(
    deployment: Deployment, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ended, services can connect, also after a restart of the platform, and the next run
    finishes the same rotation without a failed call."""
    former = Secrets.load(deployment.folder).database[ROLE]
    whole: Callable[..., Any] = getattr(database_passwords, step)

    async def killed(*arguments: Any) -> None:
        if after:
            await whole(*arguments)
        raise Killed

    db = await deployment.connect()
    async with deployment.load(db):
        with monkeypatch.context() as patched:
            patched.setattr(database_passwords, step, killed)
            with pytest.raises(Killed):
                await rotate(deployment)
        halfway = Secrets.load(deployment.folder).database[ROLE]
        fresh = await deployment.connect()
        await fresh.close()
        write_database_files(
            deployment.folder, Secrets.load(deployment.folder)
        )  # `aero2 up` starts
        fresh = await deployment.connect()
        await fresh.close()
        await rotate(deployment)
    await db.close()

    secrets = Secrets.load(deployment.folder)
    assert deployment.failures == []
    assert secrets.former_database == {}
    started = (step, after) != ("_begin", False)
    finished = (step, after) == ("_finish", True)
    assert (secrets.database[ROLE] == halfway) == (started and not finished)
    assert await deployment.is_accepted(secrets.database[ROLE])
    assert not await deployment.is_accepted(former)
    await (again := await deployment.connect()).close()
    assert again


async def test_a_change_between_reading_and_connecting_fails_nobody(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was read before the new password was in it, and the server asked after the change."""
    valid, reads = deployment.dsn(deployment.postgres.passwords[ROLE]), 0

    def logins(_: DatabaseUrl) -> list[str]:
        nonlocal reads
        reads += 1
        return [deployment.dsn("former"), deployment.dsn("older")] if reads == 1 else [valid]

    monkeypatch.setattr(DatabaseUrl, "logins", logins)
    await (await deployment.connect()).close()

    assert reads == 2


async def test_a_wrong_password_is_still_refused(deployment: Deployment) -> None:
    """Several lines are several attempts and no more: a service without a valid one does not start, and its
    error names no password."""
    database_file(deployment.folder, ROLE).write_text("wrong-one\nwrong-two\n")

    with pytest.raises(asyncpg.InvalidPasswordError) as refused:
        await deployment.connect()
    assert "wrong-" not in str(refused.value)
