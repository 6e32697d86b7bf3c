"""`aero2 backup`: writes the database of a deployment, and its secrets, into a new folder.

The folder gets its name when everything in it is on the disk. So whatever has that name is complete.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import asyncpg

from aero2.backups import facts, manifest, programs, sealed_secrets
from aero2.backups.access import connected
from aero2.backups.manifest import DATABASE, SECRETS, Manifest, stored_file
from aero2.backups.progress import Reporter
from aero2.durable_files import sync, write_private
from aero2.failures import CommandError
from aero2.migration_steps import Connection

TAKES_STATISTICS: Final = 18
"""pg_dump 18 can write the statistics of the planner."""


@dataclass(frozen=True)
class Backup:
    """A backup of the database at `dsn` into the new folder `target`. `secrets` are sealed with the
    passphrase; None: they are kept in another way."""

    dsn: str
    target: Path
    secrets: dict[str, Any] | None
    passphrase: str = ""

    async def run(self, reporter: Reporter) -> Manifest:
        """Writes the backup. Raises CommandError, and then leaves nothing with the name of a backup."""
        with new_folder(self.target) as folder:
            async with connected(self.dsn) as db, reading(db), snapshot_of(db) as snapshot:
                return await self.write(folder, db, snapshot, reporter)

    async def write(
        self, folder: Path, db: Connection, snapshot: str, reporter: Reporter
    ) -> Manifest:
        """Writes the files of a snapshot that `db` has exported. The caller syncs them."""
        at = programs.folder_for(db.get_server_version().major)
        statistics = programs.major_of(at / "pg_dump") >= TAKES_STATISTICS
        described = await facts.describe(db, statistics=statistics)
        command = self._command(snapshot, at, folder / DATABASE, statistics=statistics)
        counts = await _dump(db, command, described, reporter)
        if self.secrets is not None:
            text = sealed_secrets.seal(self.secrets, self.passphrase)
            write_private(folder / SECRETS, text)
        files = {path.name: stored_file(path) for path in sorted(folder.iterdir())}
        complete = replace(described, counts=counts, files=files)
        complete.write(folder)
        return manifest.read(folder)

    def _command(
        self, snapshot: str, at: Path, file: Path, *, statistics: bool
    ) -> tuple[list[str], dict[str, str]]:
        """Returns pg_dump of exactly this snapshot, and its environment."""
        write_private(file, "")
        plain, password = programs.without_password(self.dsn)
        command = [str(at / "pg_dump"), "--format=custom", "--compress=gzip:1", "--verbose"]
        command += ["--no-publications", "--no-subscriptions", "--no-unlogged-table-data"]
        command += ["--statistics"] if statistics else []
        command += [f"--snapshot={snapshot}", f"--file={file}", f"--dbname={plain}"]
        return command, password


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yields a folder that gets the name `target` when the block has succeeded and all of it is on the disk.
    Raises CommandError, and then leaves nothing."""
    if target.exists():
        raise CommandError(f"{target} exists already; a backup never replaces anything.")
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(mode=0o700)
    except OSError as error:
        raise CommandError(f"{unfinished} cannot be made: {error.strerror}.") from None
    try:
        yield unfinished
        for path in [*unfinished.rglob("*"), unfinished]:
            sync(path)
        unfinished.rename(target)
    except OSError as error:
        raise CommandError(f"The backup could not be written: {error}.") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    sync(target.parent)


@asynccontextmanager
async def reading(db: Connection) -> AsyncIterator[None]:
    """Checks that the role of `db` sees all rows. Raises CommandError for this, and for all that the server
    refuses in the block."""
    try:
        await facts.must_see_all(db)
        yield
    except asyncpg.PostgresError as error:
        raise CommandError(f"The database could not be read: {error}") from None


@asynccontextmanager
async def snapshot_of(db: Connection) -> AsyncIterator[str]:
    """Yields the name of a snapshot that `db` sees until the block is left."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        yield await db.fetchval("SELECT pg_export_snapshot()")


async def _dump(
    db: Connection,
    command: tuple[list[str], dict[str, str]],
    described: Manifest,
    reporter: Reporter,
) -> dict[str, int]:
    """Writes the dump, and counts the rows of the same snapshot meanwhile."""
    sizes = described.sizes
    with reporter.step("Backup", 2 * sum(sizes.values())) as step:

        def done(table: str) -> None:
            step.advance(sizes.get(table, 0), at=table)

        dumping = asyncio.create_task(programs.run(*command, on_table=done))
        counting = asyncio.create_task(facts.count_rows(db, list(sizes), done))
        try:
            await asyncio.gather(dumping, counting)
        finally:
            for task in (dumping, counting):
                task.cancel()
            await asyncio.gather(dumping, counting, return_exceptions=True)
    return counting.result()
