"""Recovery to a named point and to a moment, across the promotion of a standby."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import pytest
from tests.kit.postgres import NOBODY, Postgres
from tests.kit.standby import PostgresPair
from tests.service.backups.conftest import PASSPHRASE, Said

from aero2.backups.archiver import archiver_state
from aero2.backups.base_backup import BaseBackup, name_point
from aero2.backups.restore_command import RestoreOptions, restore
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import Secrets
from aero2.embedded.temporary_server import temporary_server
from aero2.embedded.wal_archiving import WAL, program
from aero2.failures import CommandError

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@dataclass
class Archived:
    """A primary and a standby that archive into one folder."""

    pair: PostgresPair
    archive: Path
    secrets: Secrets

    @property
    def database(self) -> str:
        return "aero2"

    def write(self, server: Postgres, slug: str) -> None:
        server.query(f"INSERT INTO deleted_slugs (slug) VALUES ('{slug}')", self.database)

    async def name(self, server: Postgres, point: str) -> None:
        await name_point(server.dsn("owner", self.database), self.archive, point)


@pytest.fixture
def archived() -> Iterator[Archived]:
    archive = Path(tempfile.mkdtemp(prefix="aero2-archive-"))  # its parents let `nobody` in
    archive.chmod(0o755)
    (archive / WAL).mkdir()
    if os.geteuid() == 0:
        os.chown(archive / WAL, NOBODY, NOBODY)
    primary = Postgres.start()
    standby = None
    try:
        primary.query("CREATE DATABASE aero2 TEMPLATE aero2_template STRATEGY file_copy")
        with (primary.folder / "data" / "postgresql.auto.conf").open("a") as file:
            command = program("store", "%p", f"{archive / WAL}/%f").replace("'", "''")
            file.write(f"archive_mode = on\narchive_command = '{command}'\n")
        primary.restart()
        standby = Postgres.standby_of(primary, "standby")
        secrets = Secrets.fresh()
        secrets.superuser = primary.passwords["owner"]
        yield Archived(PostgresPair(primary, standby), archive, secrets)
    finally:
        if standby is not None:
            standby.stop()
        primary.stop()
        shutil.rmtree(archive)


async def recovered(archived: Archived, folder: Path, **target: str) -> list[str]:
    """Recovers into a new data folder. Returns the slugs that are there."""
    passphrase = folder.with_name("passphrase")
    passphrase.write_text(PASSPHRASE)
    options = RestoreOptions(archived.archive, passphrase, folder, **target)  # type: ignore[arg-type]
    await asyncio.to_thread(restore, options)
    made = Folder.at(folder)
    async with temporary_server(made, archived.secrets.superuser) as postgres:
        db = await asyncpg.connect(postgres.url("postgres", postgres.superuser))
        rows = await db.fetch("SELECT slug FROM deleted_slugs ORDER BY slug")
        assert await db.fetchval("SELECT count(*) FROM user_sessions") == 0
        await db.close()
    return [row["slug"] for row in rows]


async def until_archived(server: Postgres) -> None:
    db = await asyncpg.connect(server.dsn("owner", "aero2"))
    await db.execute("SELECT pg_switch_wal()")
    deadline = time.monotonic() + 60
    while (await archiver_state(db)).waiting:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    await db.close()


async def test_a_named_point_is_reached_across_a_promotion(
    archived: Archived, tmp_path: Path
) -> None:
    """Rows of the primary and of the promoted standby are there up to the point, and none after it
    (pgbackrest/pgbackrest#2423). Sessions have ended, as after any restore."""
    primary, standby = archived.pair.primary, archived.pair.standby
    primary.query(
        "INSERT INTO applications (id, slug, name) VALUES "
        "('00000000-0000-0000-0000-0000000000aa', 'shop', 'Shop');"
        "INSERT INTO users (app_id, id) VALUES ('00000000-0000-0000-0000-0000000000aa', "
        "'00000000-0000-0000-0000-0000000000bb');"
        "INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, expires_at) VALUES "
        "('00000000-0000-0000-0000-0000000000aa', gen_random_uuid(), "
        "'00000000-0000-0000-0000-0000000000bb', 'x', 'full', now() + interval '1 day')",
        archived.database,
    )
    work = BaseBackup(
        primary.dsn("owner", archived.database),
        archived.archive,
        {"secrets.json": asdict(archived.secrets)},
        PASSPHRASE,
    )
    await work.run(Said())
    archived.write(primary, "a-first")
    await archived.name(primary, "before")
    archived.write(primary, "b-second")
    await until_archived(primary)
    primary.kill()
    standby.query("SELECT pg_promote()")
    archived.write(standby, "c-third")
    await archived.name(standby, "after")
    archived.write(standby, "d-fourth")
    await until_archived(standby)

    assert await recovered(archived, tmp_path / "1", to_point="after") == [
        *("a-first", "b-second", "c-third")
    ]
    assert await recovered(archived, tmp_path / "2", to_point="before") == ["a-first"]
    assert len(await recovered(archived, tmp_path / "3")) == 4
    with pytest.raises(CommandError, match="no point nowhere"):
        await recovered(archived, tmp_path / "4", to_point="nowhere")
    with pytest.raises(CommandError, match="Every base backup is later"):
        await recovered(archived, tmp_path / "5", to_time="2020-01-01T00:00:00Z")


async def test_a_failing_archive_is_seen(archived: Archived) -> None:
    """pg_stat_archiver says so, and nothing of the archive is lost: it goes on when it can."""
    primary = archived.pair.primary
    wal = archived.archive / WAL
    wal.rename(wal.with_name("away"))
    primary.query("SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()")
    db = await asyncpg.connect(primary.dsn("owner", archived.database))
    deadline = time.monotonic() + 60
    while not (state := await archiver_state(db)).failing:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state.waiting >= 1
    wal.with_name("away").rename(wal)
    while (state := await archiver_state(db)).waiting:
        assert time.monotonic() < deadline + 120
        time.sleep(0.1)
    assert not state.failing
    await db.close()
