"""`aero2 backup`: complete under its name, or not there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from tests.kit.instance import environment
from tests.service.backups.conftest import PASSPHRASE, Original

from aero2.backups import manifest, sealed_secrets
from aero2.embedded.postgres import binaries
from aero2.failures import CommandError
from common.ids import new_id

pytestmark = pytest.mark.timeout(90)

SLOW_PG_DUMP = """#!/bin/sh
test "$1" = --version && echo "pg_dump (PostgreSQL) 99.0" && exit
for word; do case $word in --file=*) echo half > "${word#--file=}";; esac; done
sleep 60
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def row_count(dump: Path, table: str) -> int:
    """Returns how many rows of a table are in a dump."""
    command = [str(binaries() / "pg_restore"), "--data-only", f"--table={table}", "-f", "-"]
    text = subprocess.run([*command, str(dump)], capture_output=True, text=True, check=True).stdout
    return text.partition("FROM stdin;\n")[2].partition("\\.\n")[0].count("\n")


async def test_a_backup_is_described_by_its_manifest(original: Original) -> None:
    """It names version, schema, keys, time, position and counts, and each file with its checksum. Only its
    owner may read it."""
    made = await original.backup()
    folder = original.folder / "monday"

    assert names(folder) == ["database.dump", "manifest.json", "secrets.sealed"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(key.id, key.data_keys) for key in made.master_keys] == [("k1", 1)]
    assert sum(n for table, n in made.counts.items() if table.startswith("users_")) == 1
    assert sum(n for table, n in made.counts.items() if table.startswith("totp_factors_")) == 1
    assert "schema.sql" in made.migrations
    assert "aero2_identity" in made.roles
    assert int(made.catalogue["policy"].split()[0]) > 100
    assert set(made.files) == {"database.dump", "secrets.sealed"}
    assert manifest.read(folder) == made


async def test_the_secrets_need_the_passphrase(original: Original) -> None:
    """The master key is nowhere in the backup, but in the sealed file."""
    await original.backup()
    text = (original.folder / "monday" / "secrets.sealed").read_text()
    key = original.master_key.partition(":")[2]

    assert sealed_secrets.open_sealed(text, PASSPHRASE) == original.secrets
    with pytest.raises(CommandError, match="does not open"):
        sealed_secrets.open_sealed(text, PASSPHRASE + "r")
    for path in (original.folder / "monday").iterdir():
        assert key.encode() not in path.read_bytes()


async def test_a_bound_role_makes_no_backup(original: Original) -> None:
    """Row level security would hide rows from it. Nothing is kept."""
    with pytest.raises(CommandError, match="does not see all rows"):
        await original.backup(dsn=original.dsns["identity"])
    assert names(original.folder) == []


async def test_a_dump_that_fails_leaves_nothing(
    original: Original, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The message of pg_dump is shown, and no folder has the name of a backup."""
    place = tmp_path_factory.mktemp("bin")
    (place / "pg_dump").write_text("#!/bin/sh\necho 'No space left on device' >&2\nexit 1\n")
    (place / "pg_dump").chmod(0o755)
    monkeypatch.setattr("aero2.backups.programs.folder_for", lambda _: place)

    with pytest.raises(CommandError, match="pg_dump failed") as refused:
        await original.backup()
    assert "No space left on device" in refused.value.detail
    assert names(original.folder) == []


async def test_a_backup_replaces_nothing(original: Original) -> None:
    """A name that is taken is refused."""
    (original.folder / "monday").mkdir()
    with pytest.raises(CommandError, match="exists already"):
        await original.backup()


async def test_writes_go_on_and_the_counts_are_those_of_the_dump(original: Original) -> None:
    """Dump and counts are of one snapshot, while rows come and go."""
    db = await asyncpg.connect(original.dsns["owner"])

    async def write() -> None:
        while True:
            await db.execute("INSERT INTO deleted_slugs (slug) VALUES ($1)", new_id())

    writing = asyncio.create_task(write())
    try:
        made = await original.backup()
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError, asyncpg.PostgresError):
            await writing
        await db.close(timeout=5)
    dump = original.folder / "monday" / "database.dump"

    assert row_count(dump, "deleted_slugs") == made.counts["deleted_slugs"]
    assert await original.owner.fetchval("SELECT count(*) FROM deleted_slugs") > 0


async def test_a_killed_backup_leaves_no_half_that_looks_whole(original: Original) -> None:
    """After a kill nothing has the name, and the next backup removes what is left."""
    slow = original.folder / "bin" / "pg_dump"
    slow.parent.mkdir()
    slow.write_text(SLOW_PG_DUMP)
    slow.chmod(0o755)
    passphrase = original.folder / "passphrase"
    passphrase.write_text(PASSPHRASE)
    target = original.folder / "monday"
    command = [sys.executable, "-m", "aero2", "backup", str(target)]
    names_of_it = {
        "AERO2_OWNER_DATABASE_URL": original.dsns["owner"],
        "AERO2_MASTER_KEY": original.master_key,
        "PATH": f"{slow.parent}{os.pathsep}{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        [*command, "--passphrase-file", str(passphrase)],
        env=environment() | names_of_it,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    half = original.folder / ".monday.unfinished" / "database.dump"
    while not (half.exists() and half.stat().st_size):
        assert process.poll() is None, process.communicate()
        await asyncio.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    assert not target.exists()
    with pytest.raises(CommandError, match="not a complete backup"):
        manifest.read(original.folder / ".monday.unfinished")
    await original.backup()
    assert names(original.folder) == ["bin", "monday", "passphrase"]


async def test_damage_is_found(original: Original) -> None:
    """A changed byte of the dump, and a changed manifest, are refused."""
    made = await original.backup()
    folder = original.folder / "monday"
    with (folder / "database.dump").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(CommandError, match=r"database\.dump is damaged"):
        manifest.verify_files(folder, made, lambda _: None)
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | {"version": "0.0.9"}))
    with pytest.raises(CommandError, match="damaged"):
        manifest.read(folder)


def test_a_backup_needs_a_passphrase(tmp_path: Path) -> None:
    """Without one it refuses, unless somebody says that the secrets are kept elsewhere. A short one is
    refused."""
    command = [sys.executable, "-m", "aero2", "backup", str(tmp_path / "monday")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--passphrase-file" in done.stderr
    (tmp_path / "short").write_text("hunter2\n")
    with pytest.raises(CommandError, match="too short"):
        sealed_secrets.passphrase_in(tmp_path / "short")


def test_a_file_of_secrets_cannot_ask_for_all_memory() -> None:
    """The cost in its header has a limit."""
    text = json.loads(sealed_secrets.seal({}, PASSPHRASE))
    with pytest.raises(CommandError, match="damaged"):
        sealed_secrets.open_sealed(json.dumps(text | {"n": 2**30}), PASSPHRASE)
