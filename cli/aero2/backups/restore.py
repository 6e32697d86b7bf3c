"""Makes a database of a backup: in an empty one, all checks, and nothing old is alive in the end.

Until all of it is done, a table says so, and neither a service nor `aero2 migrate` gets in.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from aero2 import cluster_names
from aero2.backups import checks, manifest, programs
from aero2.backups.access import connected
from aero2.backups.credentials import end_credentials
from aero2.backups.manifest import DATABASE, Manifest
from aero2.backups.progress import Reporter
from aero2.backups.revocations import Revocations, end_revoked
from aero2.failures import CommandError
from aero2.migrate import ROLES, UNFINISHED_RESTORE, folder, migrate
from aero2.migration_steps import Connection
from aero2.running_services import running_services
from aero2.schema_files import MigrationError
from common.crypto import Keys

JOBS: Final = 4
"""Connections of pg_restore at most."""
SECTIONS: Final = ("pre-data", "data", "post-data")
"""Restored one after the other. In one run, several connections may add a foreign key of a partitioned
table before the rows of its partitions are there, and then load these in any order."""


@dataclass(frozen=True)
class Restore:
    """A restore of the backup in a folder. `dsn` is of a superuser, or of the owner of the database with
    CREATEROLE and BYPASSRLS. `passwords` are those of our roles, as `aero2 migrate` takes them."""

    backup: Path
    dsn: str
    keys: Keys = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)
    end_keys: bool = False
    revoked: Revocations | None = None
    """The revocations since the backup. None: nobody knows them."""
    accept_audit_faults: bool = False
    source: Path = field(default_factory=folder)

    async def run(self, described: Manifest, reporter: Reporter) -> dict[str, int]:
        """Restores a backup whose files were verified. Returns how many credentials of each table ended.

        Raises CommandError. The database is then as it was, or marked as unfinished."""
        self.refuse(described)
        async with connected(self.dsn) as db, restoring():
            await self.prepare(db, described)
            await self.load(db, described, reporter)
            return await finish(self, db, reporter)

    def refuse(self, described: Manifest) -> None:
        """Raises CommandError if this version, or the master key, does not fit the backup."""
        checks.refuse_newer(described, self.source)
        checks.refuse_other_keys(described, self.keys)

    async def load(self, db: Connection, described: Manifest, reporter: Reporter) -> None:
        """Loads the rows into a prepared database, and checks them. Raises CommandError."""
        await self._load(db, described, reporter)
        await checks.compare(db, described, reporter)
        keys = await checks.known_keys(db, self.keys)
        await checks.open_data_keys(db, keys)
        await checks.verify_audit(db, keys, reporter, accept_faults=self.accept_audit_faults)

    @property
    def _dump(self) -> Path:
        return self.backup / DATABASE

    async def prepare(self, db: Connection, described: Manifest) -> None:
        """Shuts everybody else out, and makes the roles. Raises CommandError if the database is in use,
        or holds anything."""
        major = db.get_server_version().major
        if major < described.server_version:
            raise CommandError(
                f"The backup is of PostgreSQL {described.server_version}, and this server is {major}."
            )
        await refuse_running_services(db)
        if not await _is_empty(db):
            raise CommandError(
                "This database is not empty, and a restore never replaces anything. Name an empty "
                "one, or drop this one and create it again."
            )
        await db.execute(f"CREATE TABLE IF NOT EXISTS public.{UNFINISHED_RESTORE} (backup text)")
        async with db.transaction():
            await db.execute((self.source / "roles.sql").read_text())
            for role in described.roles:
                if not await db.fetchval("SELECT to_regrole($1) IS NOT NULL", f'"{role}"'):
                    await db.execute(f'CREATE ROLE "{role}" NOLOGIN')
            await shut_out(db)

    async def _load(self, db: Connection, described: Manifest, reporter: Reporter) -> None:
        at = programs.folder_for(max(db.get_server_version().major, described.server_version))
        plain, password = programs.without_password(self.dsn)
        jobs = max(1, min(JOBS, os.cpu_count() or 1))
        command = [str(at / "pg_restore"), "--exit-on-error", "--verbose", f"--jobs={jobs}"]
        if not await db.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            command.append("--no-owner")
        with reporter.step("Restoring", sum(described.sizes.values())) as step:
            for section in SECTIONS:
                await programs.run(
                    [*command, f"--section={section}", f"--dbname={plain}", str(self._dump)],
                    password,
                    on_table=lambda table: step.advance(described.sizes.get(table, 0), at=table),
                )
        if not described.statistics:
            reporter.say("Gathering statistics …")
            await db.execute("ANALYZE")


@asynccontextmanager
async def restoring() -> AsyncIterator[None]:
    """Raises CommandError for all that a server refuses in the block."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise CommandError(f"The restore failed: {error}") from None


async def finish(work: Restore, db: Connection, reporter: Reporter) -> dict[str, int]:
    """Ends old credentials, migrates to this version, and lets services in."""
    ended = await end_and_migrate(work, db, reporter)
    await take_mark(db)
    return ended


async def take_mark(db: Connection) -> None:
    """Takes away the mark of a restore that is not complete."""
    await db.execute(f"DROP TABLE IF EXISTS public.{UNFINISHED_RESTORE}")


async def end_and_migrate(work: Restore, db: Connection, reporter: Reporter) -> dict[str, int]:
    """Ends old credentials, and migrates to this version. Returns how many of each table ended."""
    ended = await end_credentials(db, end_keys=work.end_keys)
    if work.revoked is not None:
        for sentence in await end_revoked(db, work.revoked):
            reporter.say(f"Revoked since the backup, and ended again: {sentence}.")
    try:
        ran = await migrate(
            work.dsn,
            work.passwords,
            source=work.source,
            report=reporter.say,
            contract=True,
            cluster=await cluster_names.of_this(db),
            restoring=True,
        )
    except MigrationError as error:
        raise CommandError(str(error)) from None
    if ran:
        reporter.say(f"Migrated: {', '.join(ran)}.")
    return ended


async def refuse_running_services(db: Connection) -> None:
    """Raises CommandError while one of our services or jobs is connected to the database."""
    if names := await running_services(db):
        raise CommandError(
            f"Services are running on this database ({', '.join(names)}). Stop all of them first."
        )


async def shut_out(db: Connection) -> None:
    """Takes the right to connect from our roles. `aero2 migrate` gives it back."""
    roles = ", ".join(f"aero2_{role}" for role in ROLES)
    database = await db.fetchval("SELECT quote_ident(current_database())")
    await db.execute(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {roles}")


async def _is_empty(db: Connection) -> bool:
    """Returns whether nothing is in the database. Drops what an unfinished restore has left."""
    if await db.fetchval(f"SELECT to_regclass('public.{UNFINISHED_RESTORE}') IS NOT NULL"):
        await db.execute("DROP SCHEMA public CASCADE")
        await db.execute("CREATE SCHEMA public")
        await db.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")  # as in every new database
        await db.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
        return True
    return not await db.fetchval("""
        SELECT EXISTS (
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
    """)


async def read_and_verify(folder: Path, reporter: Reporter) -> Manifest:
    """Returns the manifest of a backup, after all of its files were compared with it."""
    described = manifest.read(folder)
    total = sum(each.bytes for each in described.files.values())
    with reporter.step("Verifying the backup", total) as step:
        await asyncio.to_thread(manifest.verify_files, folder, described, step.advance)
    return described
