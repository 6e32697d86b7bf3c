"""Migrations of several steps, on Postgres: interrupted, under row level security, and in two phases."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from tests.kit.postgres import Postgres

from aero2.migrate import folder, migrate
from aero2.schema_files import MigrationError
from common.version import VERSION

APPS: int = 40
"""More than partitions, so that most partitions have rows."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    """The owner's DSN of a database of this version."""
    name = postgres.clone()
    yield postgres.dsn("owner", name)
    postgres.drop(name)


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Connection]:
    """A superuser's connection."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


class Release:
    """A copy of db/ to which a test adds migrations, as the next release would."""

    def __init__(self, here: Path) -> None:
        self.source = Path(shutil.copytree(folder(), here / "db"))

    def add(self, name: str, *lines: str) -> None:
        """Writes a migration. schema.sql changes with it, as the rules demand."""
        (self.source / "migrations" / name).write_text("\n".join(lines) + "\n")
        with (self.source / "schema.sql").open("a") as schema:
            schema.write(f"SELECT '{name}';\n")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


INDEX = (
    "-- phase: expand",
    "-- transaction: no",
    "-- step",
    "CREATE INDEX deleted_slugs_why ON deleted_slugs (slug);",
    "-- step",
    "CREATE INDEX user_roles_rank ON ONLY user_roles (app_id, role_id);",
    "-- step: each partition",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS user_roles_rank_pNN ON user_roles_pNN (app_id, role_id);",
    "-- step: each partition",
    "ALTER INDEX user_roles_rank ATTACH PARTITION user_roles_rank_pNN;",
)


async def test_an_index_on_all_partitions_without_a_lock(
    dsn: str, db: Connection, release: Release
) -> None:
    """The index is valid at the end, also that of a partition where an earlier run was interrupted in
    the middle of it. Writers go on meanwhile."""
    release.add("9001_rank.sql", *INDEX)
    await db.execute("CREATE INDEX user_roles_rank_p03 ON user_roles_p03 (app_id, role_id)")
    await db.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'user_roles_rank_p03'::regclass"
    )

    assert await migrate(dsn, {}, source=release.source) == ["9001_rank.sql"]
    indexes = await db.fetch(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indexrelid::regclass::text LIKE 'user_roles_rank%'"
    )
    assert len(indexes) == 17
    assert all(valid for _, valid in indexes)


REPLACED = (
    "-- phase: contract",
    "-- transaction: no",
    "-- step",
    "CREATE UNIQUE INDEX permissions_called ON ONLY permissions (name, app_id);",
    "-- step: each partition",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS permissions_called_pNN ON permissions_pNN (name, app_id);",
    "-- step: each partition",
    "ALTER INDEX permissions_called ATTACH PARTITION permissions_called_pNN;",
    "-- step",
    "ALTER TABLE permissions DROP CONSTRAINT permissions_app_id_name_key;",
)


@pytest.mark.long
async def test_a_unique_index_is_replaced_under_upserts(
    dsn: str, db: Connection, postgres: Postgres, release: Release
) -> None:
    """The new one is there before the old one goes, so ON CONFLICT always finds one."""
    release.add("9001_called.sql", *REPLACED)
    await _fill(db)
    app = await db.fetchval("SELECT id FROM applications WHERE slug = 'shelf-1'")
    writer = await asyncpg.connect(
        postgres.dsn("rbac", dsn.rpartition("/")[2]), server_settings={"aero2.app_id": str(app)}
    )
    upsert = await writer.prepare(
        """
        INSERT INTO permissions (app_id, id, name, resource, action)
        VALUES ($1, $2, 'books:1', 'books', 'read')
        ON CONFLICT (name, app_id) DO UPDATE SET description = $2
        """
    )
    running = asyncio.create_task(migrate(dsn, {}, source=release.source, contract=True))
    written = 0
    while not running.done():
        written += 1
        await upsert.fetch(app, f"again_{written}")
    await running
    await upsert.fetch(app, "last")
    rows = await db.fetch("SELECT description FROM permissions WHERE app_id = $1", app)
    await writer.close()

    assert written > 10
    assert [row["description"] for row in rows] == ["last"]


async def test_an_interrupted_migration_goes_on_where_it_stopped(
    dsn: str, db: Connection, release: Release
) -> None:
    """Steps that succeeded do not run again."""
    await db.execute("CREATE TABLE gate AS SELECT false AS open")
    await db.execute("GRANT SELECT ON gate TO aero2_owner")
    release.add(
        "9001_three.sql",
        "-- transaction: no",
        "-- step",
        "CREATE TABLE trail AS SELECT 1 AS step;",
        "-- step",
        "INSERT INTO trail SELECT 2 / open::int FROM gate;",
        "-- step",
        "INSERT INTO trail VALUES (3);",
    )
    with pytest.raises(MigrationError, match="will go on after the last step that succeeded"):
        await migrate(dsn, {}, source=release.source)
    await db.execute("UPDATE gate SET open = true")

    assert await migrate(dsn, {}, source=release.source) == ["9001_three.sql"]
    assert await db.fetchval("SELECT array_agg(step ORDER BY step) FROM trail") == [1, 2, 3]
    assert await migrate(dsn, {}, source=release.source) == []


async def test_a_file_that_changed_between_two_of_its_steps(dsn: str, release: Release) -> None:
    """Half of one file and half of another is no schema that anybody wrote."""
    lines = ["-- transaction: no", "-- step", "CREATE TABLE a (b int);", "-- step", "SELECT 1 / 0;"]
    release.add("9001_half.sql", *lines)
    with pytest.raises(MigrationError, match="division by zero"):
        await migrate(dsn, {}, source=release.source)
    release.add("9001_half.sql", *lines[:-1], "SELECT 1;")

    with pytest.raises(MigrationError, match=r"9001_half\.sql has changed since"):
        await migrate(dsn, {}, source=release.source)


BACKFILL = (
    "-- transaction: no",
    "-- step",
    "ALTER TABLE permissions ADD COLUMN shelf text;",
    "-- step: backfill permissions",
    "UPDATE permissions SET shelf = 'one' WHERE shelf IS NULL AND ctid >= $1 AND ctid < $2;",
)
EMPTY = "SELECT count(*) FROM permissions WHERE shelf IS NULL"


async def _fill(db: Connection, each: int = 1) -> None:
    """Makes some permissions in each of many applications."""
    await db.execute(
        f"""
        WITH made AS (
            INSERT INTO applications (id, slug, name)
            SELECT gen_random_uuid(), 'shelf-' || n, 'Shelf' FROM generate_series(1, {APPS}) n
            RETURNING id
        )
        INSERT INTO permissions (app_id, id, name, resource, action)
        SELECT made.id, 'perm_' || n, 'books:' || n, 'books', 'read' || n
        FROM made, generate_series(1, {each}) n
        """
    )


async def test_a_backfill_reaches_the_rows_of_all_applications(
    dsn: str, db: Connection, release: Release
) -> None:
    """Row level security, which binds the owner as well, hides none of them, and is whole again
    afterwards."""
    await _fill(db)
    before = await db.fetchval("SELECT count(*) FROM pg_policies")
    release.add("9001_shelf.sql", *BACKFILL)
    said: list[str] = []
    await migrate(dsn, {}, source=release.source, report=said.append)

    assert await db.fetchval(EMPTY) == 0
    assert await db.fetchval("SELECT count(*) FROM pg_policies") == before
    rows = await db.fetchval("SELECT count(*) FROM permissions")
    assert rows >= APPS
    assert f"9001_shelf.sql: {rows} rows of permissions" in said


async def test_an_interrupted_backfill_goes_on(dsn: str, db: Connection, release: Release) -> None:
    """Batches that were committed stay, and the rest follows with the next run."""
    await _fill(db, each=1000)
    release.add("9001_shelf.sql", *BACKFILL)
    rows = await db.fetchval("SELECT count(*) FROM permissions")
    await db.execute(
        f"""
        CREATE SEQUENCE batches;
        GRANT USAGE ON SEQUENCE batches TO aero2_owner;
        CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('batches') > {rows // 2} THEN RAISE 'power cut'; END IF; RETURN NEW;
        END $$;
        CREATE TRIGGER stop BEFORE UPDATE ON permissions FOR EACH ROW EXECUTE FUNCTION stop();
        """
    )
    with pytest.raises(MigrationError, match="power cut"):
        await migrate(dsn, {}, source=release.source)
    assert 0 < await db.fetchval(EMPTY) < rows
    await db.execute("DROP TRIGGER stop ON permissions")

    await migrate(dsn, {}, source=release.source)
    assert await db.fetchval(EMPTY) == 0


READ = """
    SELECT coalesce(sum(heap_blks_read + heap_blks_hit), 0)::bigint
    FROM pg_statio_user_tables WHERE relname LIKE 'permissions\\_p%'
"""


@pytest.mark.long
async def test_a_backfill_of_many_rows_reads_each_a_bounded_number_of_times(
    postgres: Postgres, release: Release
) -> None:
    """Ten times the rows cost about ten times the blocks, not a hundred times."""
    release.add("9001_shelf.sql", *BACKFILL)
    per_row: list[float] = []
    for each in (500, 5000):
        name = postgres.clone()
        db = await asyncpg.connect(postgres.dsn("owner", name))
        await _fill(db, each)
        before = await db.fetchval(READ)
        await migrate(postgres.dsn("owner", name), {}, source=release.source)
        per_row.append((await db.fetchval(READ) - before) / (APPS * each))
        await db.close()
        postgres.drop(name)

    few, many = per_row
    assert many < 1.5 * few


@pytest.mark.fault("F24")
@pytest.mark.parametrize("default", [True, False])
async def test_writes_go_on_while_a_backfill_runs(
    dsn: str,
    db: Connection,
    release: Release,
    monkeypatch: pytest.MonkeyPatch,
    *,
    default: bool,
) -> None:
    """A service of the version before does not know the column, and its writes do not wait for the
    migration. The default converts what it inserts. The backfill ends without a default, too. The
    migration tells how far it is."""
    monkeypatch.setattr("aero2.migration_steps.SAID_EVERY", 0.0)
    monkeypatch.setattr("aero2.migration_steps.BATCH", 1)
    await _fill(db, each=1000)
    lines = list(BACKFILL)
    if default:
        lines.insert(3, "ALTER TABLE permissions ALTER COLUMN shelf SET DEFAULT 'one';")
    release.add("9001_shelf.sql", *lines)
    said: list[str] = []
    writer = await asyncpg.connect(dsn, server_settings={"lock_timeout": "1s"})
    app = await db.fetchval("SELECT id FROM applications WHERE slug = 'shelf-1'")
    running = asyncio.create_task(migrate(dsn, {}, source=release.source, report=said.append))
    while not any("% of permissions" in line for line in said):
        await asyncio.sleep(0.001)
    written = 0
    while not running.done():
        written += 1
        await writer.execute(
            "UPDATE permissions SET description = 'x' WHERE app_id = $1 AND id = $2",
            app,
            f"perm_{written % 1000}",
        )
        await writer.execute(
            """
            INSERT INTO permissions (app_id, id, name, resource, action)
            VALUES ($1, $2, $2, 'late', 'read')
            """,
            app,
            f"late_{written}",
        )
    await running
    await writer.close()

    assert written > 1
    assert await db.fetchval(f"{EMPTY} AND resource <> 'late'") == 0
    if default:
        assert await db.fetchval(EMPTY) == 0
    shares = [int(line.split(": ")[1].split(" %")[0]) for line in said if "% of" in line]
    assert len(set(shares)) > 5


async def test_an_update_that_would_see_no_rows_fails(
    dsn: str, db: Connection, release: Release
) -> None:
    """Outside of a backfill, row level security hides every row from the owner. The migration does not
    pass for done."""
    await _fill(db)
    release.add("9001_blind.sql", "UPDATE permissions SET name = 'x';")

    with pytest.raises(MigrationError, match="outside of a backfill") as refused:
        await migrate(dsn, {}, source=release.source)
    assert "changed nothing" in str(refused.value)


async def test_a_contracting_migration_waits_to_be_asked_for(dsn: str, release: Release) -> None:
    """What comes after it waits, too. What comes before does not."""
    release.add("9001_wide.sql", "-- phase: expand", "CREATE TABLE wide (a int);")
    release.add("9002_narrow.sql", "-- phase: contract", "DROP TABLE wide;")
    release.add("9003_later.sql", "-- phase: expand", "CREATE TABLE later (a int);")
    said: list[str] = []

    assert await migrate(dsn, {}, source=release.source, report=said.append) == ["9001_wide.sql"]
    assert any("9002_narrow.sql waits" in line for line in said)
    ran = await migrate(dsn, {}, source=release.source, contract=True)
    assert ran == ["9002_narrow.sql", "9003_later.sql"]


@pytest.mark.parametrize(("version", "fine"), [("0.0.9", False), (VERSION, True)])
async def test_a_replica_of_another_version_is_not_robbed(
    dsn: str, postgres: Postgres, release: Release, version: str, fine: bool
) -> None:
    """A contracting migration is refused while one is connected, and the message names it."""
    release.add("9001_narrow.sql", "-- phase: contract", "DROP TABLE deleted_slugs;")
    name = dsn.rpartition("/")[2]
    replica = await asyncpg.connect(
        postgres.dsn("oidc", name), server_settings={"application_name": f"aero2-oidc/{version}"}
    )
    try:
        if fine:
            ran = await migrate(dsn, {}, source=release.source, contract=True)
            assert ran == ["9001_narrow.sql"]
        else:
            with pytest.raises(MigrationError, match=rf"aero2-oidc/{version} is still connected"):
                await migrate(dsn, {}, source=release.source, contract=True)
    finally:
        await replica.close()


async def test_who_holds_the_lock_is_named(dsn: str, db: Connection, release: Release) -> None:
    """A migration that gives way says for whom."""
    release.add("9001_wide.sql", "ALTER TABLE deleted_slugs ADD COLUMN why text;")
    await db.execute("SET application_name = 'pg_dump'")
    await db.execute("BEGIN; LOCK TABLE deleted_slugs IN ACCESS SHARE MODE")
    waits = asyncio.Event()
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if "waits for" in line:
            waits.set()

    running = asyncio.create_task(migrate(dsn, {}, source=release.source, report=report))
    await asyncio.wait_for(waits.wait(), 20)
    await db.execute("COMMIT")

    assert await asyncio.wait_for(running, 20) == ["9001_wide.sql"]
    assert any(f"process {db.get_server_pid()} of PostgreSQL (pg_dump, in" in line for line in said)


MIGRATOR = """
import asyncio, sys
from pathlib import Path
from aero2.migrate import migrate
asyncio.run(migrate(sys.argv[1], {}, source=Path(sys.argv[2])))
"""


async def test_the_next_one_starts_soon_after_a_kill(
    dsn: str, db: Connection, release: Release
) -> None:
    """A migrator that was killed in the middle of a statement does not hold its lock for as long as the
    statement would have run."""
    release.add("9001_slow.sql", "SELECT pg_sleep(300);")
    command = [sys.executable, "-c", MIGRATOR, dsn, str(release.source)]
    with subprocess.Popen(command, env=os.environ) as first:
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        while not await db.fetchval(asleep):
            assert first.poll() is None
            await asyncio.sleep(0.05)
        first.send_signal(signal.SIGKILL)
    release.add("9001_slow.sql", "SELECT 1;")

    ran = await asyncio.wait_for(migrate(dsn, {}, source=release.source), 60)
    assert ran == ["9001_slow.sql"]
