"""Applies the files of db/ to a database: the whole schema to an empty one, else the missing migrations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg

from aero2 import cluster_names
from aero2.database_retries import ATTEMPTS, BUSY, try_again
from aero2.lock_watch import LockWatch, watching
from aero2.migration_files import BadMigrationError, Script
from aero2.migration_steps import Connection, MigrationSteps, record
from common.homes import MAIN
from common.version import VERSION

Report: TypeAlias = Callable[[str], None]

SCHEMA: Final = "schema.sql"
PRIORS: Final = "priors.sql"
TAKES_PRIORS: Final = 18
"""PostgreSQL 18: pg_restore_attribute_stats."""
OTHER_VERSIONS: Final = """
    SELECT DISTINCT application_name FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'aero2-%/%'
      AND split_part(application_name, '/', 2) <> $1
    ORDER BY 1
"""


class MigrationError(Exception):
    """The database is left as it was, or between two steps of a migration. The message is a sentence for
    the operator."""


@dataclass(frozen=True)
class Applied:
    """A file as the database remembers it. `steps_done` counts those of an unfinished one."""

    checksum: str
    steps_done: int | None


async def missing_migrations(db: Connection, source: Path) -> list[str]:
    """Returns the names of the migrations that the database lacks; none if it is empty."""
    if not await db.fetchval("SELECT to_regclass('public.schema_migrations') IS NOT NULL"):
        return []
    applied = await _applied(db)
    return [each.name for each in _missing(_migrations(source), applied)] if applied else []


async def refuse_foreign(db: Connection, source: Path) -> None:
    """Raises MigrationError if the database is not of this version, and cannot be updated to it."""
    _refuse_foreign(_read(source / SCHEMA), _migrations(source), await _applied(db))


@dataclass(frozen=True)
class SchemaUpdate:
    """An update of one database. `contract` also runs what takes away things that the version before
    uses. `cluster` is the name that a new database gets, and that an existing one must have."""

    db: Connection
    source: Path
    report: Report
    connect: Callable[[], Awaitable[Connection]]  # a second one, on which a migration is watched
    contract: bool
    cluster: str = MAIN

    async def run(self) -> list[str]:
        """Makes or updates the schema. Returns the names of the files that ran. Raises MigrationError."""
        await self.db.execute("SET client_min_messages = warning")
        await self.db.execute("""
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name       text        NOT NULL CONSTRAINT schema_migrations_pkey PRIMARY KEY,
                checksum   text        NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(),
                steps_done integer
            )
        """)
        await self.db.execute(
            "ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS steps_done integer"
        )
        await self.db.execute(cluster_names.READABLE)
        whole, migrations = _read(self.source / SCHEMA), _migrations(self.source)
        applied = await _applied(self.db)
        if not applied:
            return await self._create(whole, migrations)
        _refuse_foreign(whole, migrations, applied)
        if refusal := await cluster_names.refusal(self.db, self.cluster):
            raise MigrationError(refusal)
        if not (missing := _missing(migrations, applied)):
            return []
        async with watching(self.connect, self.db.get_server_pid()) as watch:
            return await self._update(whole, missing, applied, watch)

    async def _create(self, whole: Script, migrations: list[Script]) -> list[str]:
        if await self.db.fetchval("SELECT to_regclass('public.applications') IS NOT NULL"):
            raise MigrationError(
                "This database has tables but no record of how they were made. Use an empty database."
            )
        self.report(f"{whole.name}: making the schema")
        async with self.db.transaction():
            await self.db.execute(whole.sql)
            await cluster_names.rename(self.db, self.cluster)
            await self._priors()
            for script in (whole, *migrations):
                await record(self.db, script)
        return [whole.name]

    async def _update(
        self,
        whole: Script,
        missing: list[Script],
        applied: dict[str, Applied],
        watch: LockWatch,
    ) -> list[str]:
        ran: list[str] = []
        for script in missing:
            if script.contracts and not await self._may_contract(script):
                return ran
            self.report(f"{script.name}: applying")
            done = applied[script.name].steps_done if script.name in applied else 0
            await self._apply(script, done or 0, watch)
            ran.append(script.name)
        await record(self.db, whole)
        return ran

    async def _may_contract(self, script: Script) -> bool:
        """Whether nobody needs any more what the file takes away. Raises MigrationError if a replica of
        another version is connected."""
        if not self.contract:
            self.report(
                f"{script.name} waits: it takes away what the version before still uses. Run "
                "`aero2 migrate --contract` when all services are of this version."
            )
            return False
        if others := [row[0] for row in await self.db.fetch(OTHER_VERSIONS, VERSION)]:
            raise MigrationError(
                f"{script.name} takes away what another version uses, and {', '.join(others)} is "
                f"still connected. Replace it by {VERSION} first."
            )
        return True

    async def _apply(self, script: Script, done: int, watch: LockWatch) -> None:
        """Applies a migration from the step `done` on. Under load each step gives way after two seconds,
        rather than make all others wait."""

        def waiting() -> None:
            self.report(f"{script.name}: waits for {watch}")

        try:
            steps = MigrationSteps(self.db, script, self._priors, self.report)
            for number in range(done, len(script.steps)):
                step = partial(steps.run, number)
                await try_again(step, *BUSY, waiting=waiting)
        except BUSY:
            raise MigrationError(
                f"The database is too busy: {script.name} could not have a lock in {ATTEMPTS} "
                f"attempts. It waited for {watch}. Try again when there is less load."
            ) from None
        except asyncpg.InsufficientPrivilegeError as error:
            if "row-level security" not in str(error):
                raise
            raise MigrationError(
                f"{script.name} touches rows of all applications outside of a backfill, and "
                f"{steps.outcome}: {error.args[0]}"
            ) from error
        except BadMigrationError as error:
            raise MigrationError(str(error)) from None
        except asyncpg.PostgresError as error:
            raise MigrationError(
                f"{script.name} could not be applied and {steps.outcome}: {error}"
            ) from error

    async def _priors(self) -> None:
        """Sets the statistics that Postgres assumes of tables that are still empty."""
        if self.db.get_server_version().major >= TAKES_PRIORS:
            await self.db.execute((self.source / PRIORS).read_text())


def _read(path: Path) -> Script:
    return Script(path.name, path.read_text())


def _migrations(source: Path) -> list[Script]:
    return [_read(path) for path in sorted((source / "migrations").glob("[0-9]*.sql"))]


async def _applied(db: Connection) -> dict[str, Applied]:
    rows = await db.fetch(
        # A folder from before 0.1.0 has no such column.
        "SELECT name, checksum, (to_jsonb(m) ->> 'steps_done')::integer AS steps_done"
        " FROM schema_migrations m"
    )
    return {row["name"]: Applied(row["checksum"], row["steps_done"]) for row in rows}


def _missing(migrations: list[Script], applied: dict[str, Applied]) -> list[Script]:
    return [
        script
        for script in migrations
        if script.name not in applied or applied[script.name].steps_done is not None
    ]


def _refuse_foreign(whole: Script, migrations: list[Script], applied: dict[str, Applied]) -> None:
    """Raises MigrationError if no file leads from what the database is to this version."""
    if newer := sorted(applied.keys() - {each.name for each in migrations} - {SCHEMA}):
        raise MigrationError(
            f"This database is newer than this version of Aero2: it has {', '.join(newer)}. "
            "Install the version that made it, or a later one."
        )
    if changed := [
        each.name
        for each in migrations
        if each.name in applied and applied[each.name].checksum != each.checksum
    ]:
        raise MigrationError(
            f"{', '.join(changed)} has changed since it was applied here. Restore the file and "
            "write a new migration for what is to change."
        )
    if not _missing(migrations, applied) and (
        SCHEMA not in applied or applied[SCHEMA].checksum != whole.checksum
    ):
        raise MigrationError(
            f"{SCHEMA} differs from the one this database was made from, and no file in "
            "db/migrations leads from one to the other. Add it, or start with an empty database."
        )
