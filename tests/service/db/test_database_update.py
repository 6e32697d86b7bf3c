"""`aero2 up` on the folder of an older version: the database is saved, then updated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests.kit.postgres import Postgres as Server

from aero2.database_update import update
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres, binaries
from aero2.failures import CommandError
from aero2.migrate import folder
from aero2.saved_database import KEPT

MIGRATION = "ALTER TABLE deleted_slugs ADD COLUMN why text;\n"


@dataclass(frozen=True)
class OnTestServer(Postgres):
    """The embedded database, on the server of the tests and reached by its port."""

    database: str = ""

    @property
    def socket_folder(self) -> Path | None:
        return None

    def url(self, role: str, password: str = "", database: str = "") -> str:
        return super().url(role, password, self.database)


@pytest.fixture
def database(postgres: Server, tmp_path: Path) -> Iterator[OnTestServer]:
    """The database of a folder, made by this version."""
    name = postgres.clone()
    yield OnTestServer(
        Folder.at(tmp_path / "data"), postgres.port, postgres.passwords["owner"], name
    )
    postgres.drop(name)


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """db/ as the next version has it, with one more column."""
    source = Path(shutil.copytree(folder(), tmp_path / "db"))
    (source / "migrations" / "9001_why.sql").write_text(MIGRATION)
    with (source / "schema.sql").open("a") as schema:
        schema.write(MIGRATION)
    return source


async def start(
    database: Postgres, source: Path | None = None, *, backup: bool = True
) -> list[str]:
    """Does what a start does with the database. Returns what it says."""
    said: list[str] = []
    await update(database, {}, backup=backup, report=said.append, source=source)
    return said


def backups(database: Postgres) -> list[Path]:
    return sorted((database.folder.root / "backups").glob("*"))


async def test_an_older_database_is_saved_and_updated(
    database: OnTestServer, next_release: Path, postgres: Server
) -> None:
    """The saved file is whole: it has the rows from before, and can be restored."""
    db = await asyncpg.connect(database.url("postgres", database.superuser))
    await db.execute("INSERT INTO deleted_slugs (slug) VALUES ('tideline')")
    said = await start(database, next_release)
    (saved,) = backups(database)

    assert any(str(saved) in line for line in said)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert await db.fetchval("SELECT why IS NULL FROM deleted_slugs WHERE slug = 'tideline'")
    await db.close()
    other = postgres.create("restored")
    command = [str(binaries() / "pg_restore"), "--exit-on-error", "--dbname"]
    subprocess.run([*command, postgres.dsn("owner", other), str(saved)], check=True)
    db = await asyncpg.connect(postgres.dsn("owner", other))
    assert await db.fetchval("SELECT count(*) FROM deleted_slugs WHERE slug = 'tideline'") == 1
    with pytest.raises(asyncpg.UndefinedColumnError):
        await db.fetchval("SELECT why FROM deleted_slugs")
    await db.close()
    postgres.drop(other)


async def test_the_same_version_saves_nothing(database: OnTestServer) -> None:
    """A start that has nothing to update says nothing and writes nothing."""
    assert await start(database) == []
    assert backups(database) == []


async def test_an_update_without_a_backup(database: OnTestServer, next_release: Path) -> None:
    """Operators who have backups of their own can do without."""
    await start(database, next_release, backup=False)

    assert backups(database) == []
    db = await asyncpg.connect(database.url("postgres", database.superuser))
    assert await db.fetchval("SELECT count(why) FROM deleted_slugs") == 0
    await db.close()


async def test_a_backup_that_fails(
    database: OnTestServer, next_release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is updated, and no half of a file stays."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho half\necho 'No space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("aero2.saved_database.binaries", lambda: program.parent)

    with pytest.raises(CommandError, match="could not be saved, so it was not updated") as refused:
        await start(database, next_release)
    assert "No space left on device" in refused.value.detail
    assert backups(database) == []
    db = await asyncpg.connect(database.url("postgres", database.superuser))
    with pytest.raises(asyncpg.UndefinedColumnError):
        await db.fetchval("SELECT why FROM deleted_slugs")
    await db.close()


async def test_old_backups_go(database: OnTestServer, next_release: Path) -> None:
    """The latest stay."""
    place = database.folder.inside("backups")
    for number in range(KEPT + 2):
        (place / f"before-0.0.{number}-20200101-00000{number}.dump").touch()
    await start(database, next_release)

    assert len(backups(database)) == KEPT
    assert backups(database)[-1].stat().st_size > 0
