"""Passwords of database roles are replaced in all clusters, from files, while services work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from rich.console import Console
from tests.kit.postgres import ROLES_SQL, Postgres

from aero2 import cluster_passwords, migrate_command, password_change
from aero2.cluster_passwords import Rotation, rotate_owners
from aero2.failures import CommandError
from aero2.migrate import LOCK, ROLES, set_passwords
from aero2.owner_urls import owner_urls
from aero2.password_files import PasswordFile
from common import database_opening
from common.database_url import DatabaseUrl
from common.db import Database
from common.pool_limits import PoolLimits
from common.secret_files import FileSecret

CLUSTERS = ("west", "main")
FIRST = "first-password-of-all"
ROLE = "rbac"


class Killed(Exception):
    """The process of the rotation ended here."""


@dataclass
class Deployment:
    """Two clusters, the files of their passwords, and services under load."""

    servers: dict[str, Postgres]
    folder: Path
    failures: list[str] = field(default_factory=list)
    answers: int = 0

    def lines(self, role: str = ROLE) -> list[str]:
        return (self.folder / role).read_text().split()

    def url(self, cluster: str, role: str = f"aero2_{ROLE}") -> str:
        return f"postgresql://{role}@127.0.0.1:{self.servers[cluster].port}/postgres"

    async def accepts(self, cluster: str, password: str, role: str = f"aero2_{ROLE}") -> bool:
        try:
            db = await asyncpg.connect(self.url(cluster, role), password=password)
        except asyncpg.InvalidPasswordError:
            return False
        await db.close()
        return True

    async def connect(self, cluster: str) -> Database:
        """Opens a pool like that of a service."""
        file = FileSecret("AERO2_DATABASE_PASSWORD_FILE", self.folder / ROLE)
        url = DatabaseUrl(SecretStr(self.url(cluster)), file)
        return await Database.connect(url, name="test", size=4)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Works in both clusters, with connections that are opened at every step."""
        going = True

        async def work(db: Database) -> None:
            while going:
                try:
                    async with db.unbound_autocommit() as tx:
                        await tx.fetchval("SELECT pg_sleep(0.001)")
                    self.answers += 1
                    if self.answers % 7 == 0:
                        db.pool.drop_idle()
                except Exception as error:
                    self.failures.append(repr(error))
                    await asyncio.sleep(0.01)

        databases = [await self.connect(cluster) for cluster in CLUSTERS]
        workers = [asyncio.create_task(work(db)) for db in databases for _ in range(2)]
        yield
        await asyncio.sleep(0.1)
        going = False
        await asyncio.gather(*workers)
        for db in databases:
            await db.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Postgres]]:
    """Servers of their own: a rotation changes the roles of a server. They need no schema."""
    started = {cluster: Postgres.start(template=False) for cluster in CLUSTERS}
    for server in started.values():
        server._tool("psql", "--quiet", "--dbname", "postgres", "--file", str(ROLES_SQL))
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
async def deployment(
    servers: dict[str, Postgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    made = Deployment(servers, tmp_path)
    for server in servers.values():
        server.query(f"ALTER ROLE postgres PASSWORD '{FIRST}'")
        db = await asyncpg.connect(made.url("main", "postgres"), port=server.port, password=FIRST)
        async with db.transaction():
            await set_passwords(db, dict.fromkeys(ROLES, FIRST))
        await db.close()
    for role in (*ROLES, "owner"):
        (tmp_path / role).write_text(f"{FIRST}\n")
        name = "OWNER_DATABASE" if role == "owner" else role.upper()
        monkeypatch.setenv(f"AERO2_{name}_PASSWORD_FILE", str(tmp_path / role))
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL", made.url("main", "postgres"))
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL_WEST", made.url("west", "postgres"))
    monkeypatch.setattr(database_opening, "PoolLimits", partial(PoolLimits, sweep=0.1))
    return made


async def rotate() -> list[str]:
    said: list[str] = []
    rotation = Rotation.of_environment()
    rotation.within = 20.0
    await rotation.run(said.append)
    return said


def dark(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, cluster: str = "west") -> None:
    """Lets nobody but services reach a cluster: the port of the owner's DSN is closed."""
    suffix = "" if cluster == "main" else f"_{cluster.upper()}"
    monkeypatch.setenv(
        f"AERO2_OWNER_DATABASE_URL{suffix}", "postgresql://postgres@127.0.0.1:9/postgres"
    )


async def test_passwords_are_replaced_in_all_clusters_under_load(deployment: Deployment) -> None:
    """No call fails, each role has a new password in each cluster, and no server accepts the former one."""
    async with deployment.load():
        said = await rotate()

    assert deployment.failures == []
    assert deployment.answers > 20
    assert said == ["Services replace their connections …"]
    passwords = {tuple(deployment.lines(role)) for role in ROLES}
    assert len(passwords) == len(ROLES)
    for role in ROLES:
        (new,) = deployment.lines(role)
        for cluster in CLUSTERS:
            assert await deployment.accepts(cluster, new, f"aero2_{role}")
            assert not await deployment.accepts(cluster, FIRST, f"aero2_{role}")


async def test_a_dark_cluster_is_rotated_later(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others have the new passwords, services reach all, and the next run finishes the same rotation."""
    async with deployment.load():
        with monkeypatch.context() as patched:
            dark(deployment, patched)
            with pytest.raises(CommandError, match="west: The database cannot be reached"):
                await rotate()
        new, former = deployment.lines()
        for cluster in CLUSTERS:
            await (await deployment.connect(cluster)).close()
        assert former == FIRST
        assert await deployment.accepts("main", new)
        assert await deployment.accepts("west", FIRST)
        said = await rotate()

    assert deployment.failures == []
    assert said[0] == "Finishing a rotation that was interrupted."
    assert deployment.lines() == [new]
    assert await deployment.accepts("west", new)
    assert not await deployment.accepts("west", FIRST)


@pytest.mark.long
async def test_nothing_changes_while_main_is_dark(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark(deployment, monkeypatch, "main")
    with pytest.raises(CommandError, match="main: "):
        await rotate()

    assert deployment.lines() == [FIRST]


@pytest.mark.long
@pytest.mark.parametrize("after", [0, 1, 2], ids=["before", "after one", "after two"])
@pytest.mark.parametrize("step", ["begin", "change", "finish", "end_old_connections"])
async def test_a_rotation_that_was_killed_is_finished(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    """Wherever it ended: before, between and after two files or clusters. Services reach both at that moment,
    and another run leaves one new password for each role, which both have."""
    place: Any = PasswordFile if step in ("begin", "finish") else cluster_passwords
    whole: Callable[..., Any] = getattr(place, step)
    done = 0

    def killed(*arguments: Any) -> Any:
        nonlocal done
        if done == after:
            raise Killed
        done += 1
        return whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(place, step, killed)
        with suppress(Killed):
            await rotate()
    assert done == after
    for cluster in CLUSTERS:
        await (await deployment.connect(cluster)).close()
    await rotate()

    for role in ROLES:
        (new,) = deployment.lines(role)
        assert new != FIRST
        for cluster in CLUSTERS:
            assert await deployment.accepts(cluster, new, f"aero2_{role}")
            assert not await deployment.accepts(cluster, FIRST, f"aero2_{role}")


@pytest.mark.long
async def test_one_rotation_runs_at_a_time(deployment: Deployment) -> None:
    """Two would each take away what the other one has set. A migration sets passwords, too."""
    db = await password_change.connect_with(cluster_passwords.logins_of_environment()["main"])
    await db.execute("SELECT pg_advisory_lock($1)", LOCK)
    with pytest.raises(CommandError, match="another rotation is running"):
        await rotate()
    await db.close()

    assert deployment.lines() == [FIRST]


@pytest.mark.long
async def test_a_cluster_can_have_passwords_of_its_own(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AERO2_RBAC_PASSWORD_WEST_FILE` is for `west` alone, also for `aero2 migrate`."""
    own = deployment.folder / "rbac_west"
    own.write_text("password-of-the-west\n")
    monkeypatch.setenv("AERO2_RBAC_PASSWORD_WEST_FILE", str(own))
    urls, passwords = migrate_command._from_environment(Console())
    assert list(urls) == ["west", "main"]
    assert (passwords["west"][ROLE], passwords["main"][ROLE]) == ("password-of-the-west", FIRST)
    await rotate()

    (new,), (west,) = deployment.lines(), own.read_text().split()
    assert new != west
    assert await deployment.accepts("west", west)
    assert await deployment.accepts("main", new)
    assert not await deployment.accepts("west", new)


@pytest.mark.long
async def test_a_password_that_cannot_be_replaced_is_named_before_anything_changes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in the environment, one without a file, and a file that another program makes."""
    for value, problem in ((FIRST, "stands in the environment"), ("", "is not set")):
        with monkeypatch.context() as patched:
            patched.delenv("AERO2_MAIL_PASSWORD_FILE")
            patched.setenv("AERO2_MAIL_PASSWORD", value)
            with pytest.raises(CommandError, match=f"AERO2_MAIL_PASSWORD {problem}"):
                await rotate()
    (deployment.folder / "mail").unlink()
    with pytest.raises(CommandError, match=r"AERO2_MAIL_PASSWORD_FILE: .* cannot be read"):
        await rotate()

    assert deployment.lines() == [FIRST]


@pytest.mark.parametrize(
    "after", [pytest.param(0, marks=pytest.mark.long), 1, pytest.param(2, marks=pytest.mark.long)]
)
async def test_the_owners_password_is_replaced_too(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Killed before, between and after the clusters, it goes on with the same password. Commands that try the
    first line only work until a server has the new one."""
    done = 0

    async def killed(*arguments: Any) -> int:
        nonlocal done
        if done == after:
            raise Killed
        done += 1
        return await password_change.change_own(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(cluster_passwords, "change_own", killed)
        if after < 2:
            with pytest.raises(Killed):
                await rotate_owners(lambda _: None)
            former, new = deployment.lines("owner")
            assert former == FIRST
            assert all(FIRST in url for url in owner_urls().values())
    await rotate_owners(lambda _: None)

    if after < 2:
        assert deployment.lines("owner") == [new]
    (new,) = deployment.lines("owner")
    for cluster in CLUSTERS:
        assert await deployment.accepts(cluster, new, "postgres")
        assert not await deployment.accepts(cluster, FIRST, "postgres")


async def test_an_owners_password_in_the_dsn_is_not_replaced(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The DSN would keep the former one."""
    own = deployment.url("west", f"postgres:{FIRST}")
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL_WEST", own)
    with pytest.raises(CommandError, match="of west stands in the DSN"):
        await rotate_owners(lambda _: None)

    assert deployment.lines("owner") == [FIRST]
