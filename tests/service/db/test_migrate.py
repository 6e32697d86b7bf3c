"""`aero2 migrate` on Postgres: once, twice, two at once, to a new version, and when it must refuse."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.kit.postgres import Postgres

from aero2.migrate import ROLES, folder, migrate
from aero2.schema_files import MigrationError

PASSWORDS = {service: f"{service}-0123456789abcdef" for service in ROLES}


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """The owner's DSN of an empty database."""
    name = postgres.create(f"empty_{os.urandom(4).hex()}")
    yield postgres.dsn("owner", name)
    postgres.drop(name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of db/ that a test may change, with one migration that counts as applied."""
    ignored = shutil.ignore_patterns("[0-9]*.sql")
    made = Path(shutil.copytree(folder(), tmp_path / "db", ignore=ignored))
    (made / "migrations" / "0001_first.sql").write_text("SELECT 1;\n")
    return made


async def value(dsn: str, sql: str) -> object:
    db = await asyncpg.connect(dsn)
    try:
        return await db.fetchval(sql)
    finally:
        await db.close()


async def test_a_new_database_is_made_from_the_schema_and_then_left_alone(
    empty: str, source: Path
) -> None:
    """The first run creates the schema and records the migrations. The second run does nothing."""
    first = await migrate(empty, {}, source=source)
    second = await migrate(empty, {}, source=source)
    names = await value(empty, "SELECT array_agg(name ORDER BY name) FROM schema_migrations")

    assert first == ["schema.sql"]
    assert second == []
    assert names == ["0001_first.sql", "schema.sql"]


@pytest.mark.long
async def test_two_at_once_make_it_once(empty: str) -> None:
    """With the advisory lock one run works, and the others find it done."""
    said: list[str] = []
    ran = await asyncio.gather(*(migrate(empty, {}, report=said.append) for _ in range(4)))

    assert sorted(ran, key=len) == [[], [], [], ["schema.sql"]]
    assert said.count("waiting for another migration to end") == 3


@pytest.mark.long
async def test_runners_in_two_databases_share_the_clusters_roles(
    postgres: Postgres, empty: str
) -> None:
    """Roles belong to the cluster. A conflict over them is tried again."""
    passwords = {service: postgres.passwords[service] for service in ROLES}
    other = postgres.create(f"empty_{os.urandom(4).hex()}")
    dsns = [empty, postgres.dsn("owner", other)] * 3
    ran = await asyncio.gather(*(migrate(dsn, passwords) for dsn in dsns))
    postgres.drop(other)

    assert [name for names in ran for name in names] == ["schema.sql"] * 2


async def test_migrations_run_in_order_once(empty: str, source: Path) -> None:
    """New files run in the order of their numbers, are recorded, and do not run again."""
    await migrate(empty, {}, source=source)
    steps = source / "migrations"
    (steps / "0003_fill.sql").write_text("INSERT INTO colours VALUES ('red');")
    (steps / "0002_colours.sql").write_text("CREATE TABLE colours (name text);")
    (source / "schema.sql").write_text(
        (source / "schema.sql").read_text() + "CREATE TABLE colours (name text);"
    )

    assert await migrate(empty, {}, source=source) == ["0002_colours.sql", "0003_fill.sql"]
    assert await migrate(empty, {}, source=source) == []
    assert await value(empty, "SELECT string_agg(name, ',') FROM colours") == "red"


async def test_a_failed_migration_changes_nothing(empty: str, source: Path) -> None:
    """Each file is one transaction, so a failed one is rolled back and not recorded."""
    await migrate(empty, {}, source=source)
    bad = source / "migrations" / "0002_bad.sql"
    bad.write_text("CREATE TABLE half (name text); SELECT 1 / 0;")

    with pytest.raises(
        MigrationError, match=r"0002_bad\.sql could not be applied and changed nothing"
    ):
        await migrate(empty, {}, source=source)
    assert await value(empty, "SELECT to_regclass('half')") is None
    bad.write_text("CREATE TABLE half (name text);")
    assert await migrate(empty, {}, source=source) == ["0002_bad.sql"]


@pytest.mark.fault("F24")
@pytest.mark.long
async def test_a_migration_gives_way_to_traffic_and_tries_again(empty: str, source: Path) -> None:
    """A migration waits two seconds for a lock, gives up so that traffic goes on, and tries again. Readers
    who came behind it wait for so long, and not until a pg_dump has ended."""
    await migrate(empty, {}, source=source)
    step = source / "migrations" / "0002_wide.sql"
    step.write_text("ALTER TABLE deleted_slugs ADD COLUMN why text;")
    db = await asyncpg.connect(empty)
    await db.execute("BEGIN; LOCK TABLE deleted_slugs IN ACCESS SHARE MODE")
    said: list[str] = []
    running = asyncio.create_task(migrate(empty, {}, source=source, report=said.append))
    reader = await asyncpg.connect(empty, server_settings={"lock_timeout": "5s"})
    while sum("waits for" in line for line in said) < 2:
        await reader.fetch("SELECT slug FROM deleted_slugs")
        await asyncio.sleep(0.01)
    await reader.close()
    assert not running.done()
    await db.execute("COMMIT")
    await db.close()

    assert await asyncio.wait_for(running, 10) == ["0002_wide.sql"]


@pytest.mark.long
async def test_a_changed_migration_is_refused(empty: str, source: Path) -> None:
    """An applied file may not change, except for its comments."""
    await migrate(empty, {}, source=source)
    step = source / "migrations" / "0001_first.sql"
    step.write_text("-- why\nSELECT  1;\n")
    assert await migrate(empty, {}, source=source) == []
    step.write_text("SELECT 2;\n")

    with pytest.raises(MigrationError, match=r"0001_first\.sql has changed since it was applied"):
        await migrate(empty, {}, source=source)


@pytest.mark.long
async def test_a_newer_database_is_refused(empty: str, source: Path) -> None:
    """An older version does not touch a newer database."""
    await migrate(empty, {}, source=source)
    (source / "migrations" / "0001_first.sql").unlink()

    with pytest.raises(MigrationError, match=r"newer than this version.*0001_first\.sql"):
        await migrate(empty, {}, source=source)


async def test_a_schema_changed_without_a_migration_is_refused(empty: str, source: Path) -> None:
    """A changed schema without a migration is refused, because old databases would lack the change."""
    await migrate(empty, {}, source=source)
    with (source / "schema.sql").open("a") as schema:
        schema.write("CREATE TABLE forgotten (name text);")

    with pytest.raises(MigrationError, match="no file in db/migrations leads"):
        await migrate(empty, {}, source=source)


async def test_a_strangers_database_is_refused(empty: str) -> None:
    """A database with tables of another program is refused."""
    db = await asyncpg.connect(empty)
    await db.execute("CREATE TABLE applications (id int)")
    await db.close()

    with pytest.raises(MigrationError, match="no record of how they were made"):
        await migrate(empty, {})


@pytest.mark.parametrize("password", ["short", "ünïcödé-0123456789"])
async def test_a_weak_password_is_refused_before_anything_happens(
    empty: str, password: str
) -> None:
    """A password needs sixteen ASCII characters. The message does not repeat it."""
    with pytest.raises(MigrationError, match="aero2_rbac") as refused:
        await migrate(empty, {"rbac": password})

    assert password not in str(refused.value)
    assert await value(empty, "SELECT to_regclass('schema_migrations')") is None


@pytest.fixture(scope="module")
def managed() -> Iterator[Postgres]:
    server = Postgres.start(template=False)
    yield server
    server.stop()


@pytest.mark.long
class TestOnAManagedServer:
    """A cluster of its own, whose migrating role has CREATEROLE and is no superuser."""

    async def test_no_superuser_is_needed_and_passwords_rotate(self, managed: Postgres) -> None:
        """The connecting role owns the schema. A new password replaces the old one at once."""
        db = await asyncpg.connect(managed.dsn())
        await db.execute("CREATE ROLE cloud LOGIN CREATEROLE PASSWORD 'cloud-0123456789'")
        await db.execute("CREATE DATABASE hosted OWNER cloud")
        await db.close()
        dsn = f"postgresql://cloud:cloud-0123456789@127.0.0.1:{managed.port}/hosted"

        async def whoami(password: str) -> object:
            there = f"127.0.0.1:{managed.port}/hosted"
            return await value(
                f"postgresql://aero2_oidc:{password}@{there}", "SELECT current_user::text"
            )

        assert await migrate(dsn, PASSWORDS) == ["schema.sql"]
        assert await whoami(PASSWORDS["oidc"]) == "aero2_oidc"
        assert await migrate(dsn, PASSWORDS | {"oidc": "another-0123456789"}) == []
        assert await whoami("another-0123456789") == "aero2_oidc"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await whoami(PASSWORDS["oidc"])
        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'users'"
        assert await value(dsn, owner) == "cloud"

    async def test_a_role_that_may_not_is_told_so(self, managed: Postgres) -> None:
        """The error is a sentence without a stack trace."""
        db = await asyncpg.connect(managed.dsn())
        await db.execute("CREATE ROLE guest LOGIN PASSWORD 'guest-0123456789'")
        await db.close()
        with pytest.raises(MigrationError, match="Connect as the owner"):
            await migrate(
                f"postgresql://guest:guest-0123456789@127.0.0.1:{managed.port}/postgres", PASSWORDS
            )


@pytest.mark.long
def test_the_command_says_what_it_did(postgres: Postgres, empty: str) -> None:
    """The command says that it applied or that all is up to date. A failure has exit code 1 or 2
    and a sentence."""
    passwords = {
        f"AERO2_{service.upper()}_PASSWORD": postgres.passwords[service] for service in ROLES
    }

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aero2", "migrate"],
            env={"PATH": os.environ["PATH"], "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    made = run(AERO2_OWNER_DATABASE_URL=empty, **passwords)
    again = run(AERO2_OWNER_DATABASE_URL=empty, **passwords)
    weak = run(AERO2_OWNER_DATABASE_URL=empty, AERO2_RBAC_PASSWORD="short")
    many = run(AERO2_RBAC_PASSWORD="short", AERO2_OIDC_PASSWORD_FILE="/no/file", AERO2_RELY="1")
    away = run(AERO2_OWNER_DATABASE_URL="postgresql://x:y@127.0.0.1:1/z")
    unset = run()

    assert (made.returncode, "Applied schema.sql." in made.stdout) == (0, True)
    assert (again.returncode, "Up to date." in again.stdout) == (0, True)
    assert (weak.returncode, "aero2_rbac must have 16" in weak.stdout) == (2, True)
    assert many.returncode == 2
    assert many.stdout.splitlines() == [
        "AERO2_OWNER_DATABASE_URL is not set.",
        "AERO2_OIDC_PASSWORD_FILE: /no/file cannot be read: No such file or directory.",
        "The password of aero2_rbac must have 16 ASCII characters or more.",
        "AERO2_RELY has no effect: there is no such variable.",
    ]
    assert (away.returncode, "could not be migrated" in away.stdout) == (1, True)
    assert (unset.returncode, "AERO2_OWNER_DATABASE_URL is not set" in unset.stdout) == (2, True)
    assert "Traceback" not in "".join(r.stderr for r in (made, again, weak, away, unset))
