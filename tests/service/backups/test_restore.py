"""`aero2 restore`: whole and checked, or refused and marked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from tests.kit.instance import environment
from tests.service.backups.conftest import PASSPHRASE, PLACE, Original, master, restore

from aero2.backups.manifest import Manifest
from aero2.failures import CommandError
from aero2.migrate import UNFINISHED_RESTORE, folder, migrate
from aero2.schema_files import MigrationError
from common.context import system_context
from common.crypto import Keys
from common.db import Database
from common.master_keys import recognize
from common.sealing import Sealer

pytestmark = pytest.mark.timeout(120)


async def value(dsn: str, sql: str) -> object:
    db = await asyncpg.connect(dsn)
    try:
        return await db.fetchval(sql)
    finally:
        await db.close()


@pytest.mark.long
async def test_a_restored_database_is_that_of_the_backup(
    original: Original, empty: dict[str, str]
) -> None:
    """Rows, rights and sealed columns are there, services get in, and no mark is left."""
    await original.backup()
    await restore(empty["owner"], original.folder / "monday", original.master_key)

    assert await value(empty["owner"], "SELECT count(*) FROM users") == 1
    assert await value(empty["owner"], f"SELECT to_regclass('{UNFINISHED_RESTORE}')") is None
    db = await Database.connect(empty["identity"], name="identity", size=1)
    keys = await recognize(db, Keys.parse(original.master_key))
    async with db.transaction(system_context(original.app_id)) as tx:
        sealed = await tx.fetchval(
            "SELECT secret_sealed FROM totp_factors WHERE app_id = $1", original.app_id
        )
        assert await Sealer(keys).open(tx, original.app_id, PLACE, sealed) == b"seed"
    await db.close()
    await migrate(empty["owner"], {})


async def test_a_database_with_anything_in_it_is_refused(
    original: Original, empty: dict[str, str]
) -> None:
    """A restore never replaces data."""
    await original.backup()
    await value(empty["owner"], "CREATE TABLE notes (text text)")
    with pytest.raises(CommandError, match="not empty"):
        await restore(empty["owner"], original.folder / "monday", original.master_key)
    assert await value(empty["owner"], "SELECT count(*) FROM notes") == 0


async def test_running_services_are_refused(original: Original, empty: dict[str, str]) -> None:
    """A connected service would write into the half of a database (keycloak/keycloak#44189)."""
    await original.backup()
    service = await asyncpg.connect(
        empty["owner"], server_settings={"application_name": "aero2-oidc/0.1.0"}
    )
    with pytest.raises(CommandError, match=r"Services are running .*aero2-oidc"):
        await restore(empty["owner"], original.folder / "monday", original.master_key)
    await service.close()


async def test_another_master_key_is_refused(original: Original, empty: dict[str, str]) -> None:
    """Before anything is written: one of another name, and another one of the same name."""
    await original.backup()
    for key in (master("other"), master("k1")):
        with pytest.raises(CommandError, match=r"master key k1 is (missing|another one)"):
            await restore(empty["owner"], original.folder / "monday", key)
    assert (
        await value(empty["owner"], "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        == 0
    )


@pytest.mark.long
async def test_a_newer_backup_is_refused_and_an_older_one_is_migrated(
    original: Original, empty: dict[str, str], tmp_path: Path
) -> None:
    """By the names of the migrations that made its schema."""
    made = await original.backup()
    later = Path(shutil.copytree(folder(), tmp_path / "db"))
    (later / "migrations" / "9001_why.sql").write_text(
        "ALTER TABLE deleted_slugs ADD COLUMN why text;\n"
    )
    place = original.folder / "monday"
    await restore(empty["owner"], place, original.master_key, source=later)
    assert await value(empty["owner"], "SELECT count(why) FROM deleted_slugs") == 0

    changed = Manifest(**vars(made) | {"migrations": made.migrations | {"9001_why.sql": "x"}})
    changed.write(place)
    with pytest.raises(CommandError, match=r"has 9001_why\.sql"):
        await restore(empty["owner"], place, original.master_key)


@pytest.mark.long
async def test_an_error_of_pg_restore_is_a_failure(
    original: Original, empty: dict[str, str]
) -> None:
    """pg_restore alone would go on after an error (apecloud/kubeblocks-addons#3438). The database is
    then marked, and the next restore starts over."""
    await original.owner.execute(
        "CREATE FUNCTION even(n bigint) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "ALTER TABLE deleted_slugs ADD CONSTRAINT odd CHECK (even(length(slug)));"
        "INSERT INTO deleted_slugs (slug) VALUES ('abc');"
        "CREATE OR REPLACE FUNCTION even(n bigint) RETURNS bool LANGUAGE sql IMMUTABLE AS "
        "'SELECT n % 2 = 0'"
    )
    await original.backup()
    with pytest.raises(CommandError, match="pg_restore failed") as refused:
        await restore(empty["owner"], original.folder / "monday", original.master_key)
    assert 'violates check constraint "odd"' in refused.value.detail
    with pytest.raises(MigrationError, match="not complete"):
        await migrate(empty["owner"], {})

    await original.owner.execute("DELETE FROM deleted_slugs")
    await original.backup("tuesday")
    await restore(empty["owner"], original.folder / "tuesday", original.master_key)
    assert await value(empty["owner"], "SELECT count(*) FROM users") == 1


@pytest.mark.long
async def test_a_killed_restore_is_marked_and_starts_over(
    original: Original, empty: dict[str, str]
) -> None:
    """Killed in the middle: nobody gets in, and the same command then restores everything."""
    await original.backup()
    place = original.folder / "monday"
    (original.folder / "passphrase").write_text(PASSPHRASE)
    slow = original.folder / "bin"
    slow.mkdir()
    (slow / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.0'\n")
    (slow / "pg_restore").write_text("#!/bin/sh\necho started > $0.started\nsleep 60\n")
    for program in slow.iterdir():
        program.chmod(0o755)
    command = [sys.executable, "-m", "aero2", "restore", str(place)]
    command += ["--passphrase-file", str(original.folder / "passphrase")]
    settings = {"AERO2_OWNER_DATABASE_URL": empty["owner"]}
    process = subprocess.Popen(
        command,
        env=environment() | settings | {"PATH": f"{slow}{os.pathsep}{os.environ['PATH']}"},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (slow / "pg_restore.started").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        await asyncpg.connect(empty["identity"])
    with pytest.raises(MigrationError, match="not complete"):
        await migrate(empty["owner"], {})
    done = subprocess.run(
        command, env=environment() | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Restored." in done.stderr
    assert await value(empty["owner"], "SELECT count(*) FROM users") == 1
    assert await value(empty["identity"], "SELECT count(*) FROM users") == 0  # bound, and in


@pytest.mark.long
async def test_missing_rows_are_found(original: Original, empty: dict[str, str]) -> None:
    """A dump with fewer rows than its manifest says is not accepted."""
    made = await original.backup()
    table = next(name for name in made.counts if name.startswith("users_") and made.counts[name])
    place = original.folder / "monday"
    Manifest(**vars(made) | {"counts": made.counts | {table: 2}}).write(place)
    with pytest.raises(CommandError, match=f"missing, or too many, in: {table}"):
        await restore(empty["owner"], place, original.master_key)
    with pytest.raises(MigrationError, match="not complete"):
        await migrate(empty["owner"], {})


@pytest.mark.long
async def test_another_schema_is_found(original: Original, empty: dict[str, str]) -> None:
    """A policy that is gone is no detail."""
    made = await original.backup()
    catalogue = made.catalogue | {"policy": "1 abc"}
    place = original.folder / "monday"
    Manifest(**vars(made) | {"catalogue": catalogue}).write(place)
    with pytest.raises(CommandError, match="schema differs in: policy"):
        await restore(empty["owner"], place, original.master_key)


async def test_the_secrets_can_be_written_out(original: Original) -> None:
    """As JSON for its owner only, without a restore."""
    await original.backup()
    (original.folder / "passphrase").write_text(PASSPHRASE)
    out = original.folder / "secrets.json"
    command = [sys.executable, "-m", "aero2", "restore", str(original.folder / "monday")]
    command += ["--passphrase-file", str(original.folder / "passphrase")]
    command += ["--write-secrets", str(out)]
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    assert json.loads(out.read_text()) == original.secrets
    assert out.stat().st_mode & 0o777 == 0o600
