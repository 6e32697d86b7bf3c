"""Applies the files of db/ to a database: the whole schema to an empty one, else the missing migrations."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Report: TypeAlias = Callable[[str], None]

SCHEMA: Final = "schema.sql"
PRIORS: Final = "priors.sql"
TAKES_PRIORS: Final = 18
"""PostgreSQL 18: pg_restore_attribute_stats."""
ATTEMPTS: Final = 30
"""How often a step is tried again that ran into a lock or into another runner's change of a role."""


class MigrationError(Exception):
    """The database is left as it was. The message is a sentence for the operator."""


@dataclass(frozen=True)
class Script:
    """A file of SQL."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The checksum of what the file does. It ignores comments and spacing."""
        code = re.sub(r"^\s*--.*$|\s+--\s.*$", "", self.sql, flags=re.MULTILINE)
        return hashlib.sha256(" ".join(code.split()).encode()).hexdigest()


async def try_again(step: Callable[[], Awaitable[None]], *errors: type[Exception]) -> None:
    """Repeats a step that fails with one of the errors, ATTEMPTS times at most."""
    for attempt in range(ATTEMPTS):
        try:
            await step()
            return
        except errors:
            if attempt + 1 == ATTEMPTS:
                raise
            await asyncio.sleep(0.2 + attempt / 20)


async def update_schema(db: Connection, source: Path, report: Report) -> list[str]:
    """Makes or updates the schema. Returns the names of the files that ran. Raises MigrationError."""
    await db.execute("SET client_min_messages = warning")
    await db.execute("""
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name       text        NOT NULL CONSTRAINT schema_migrations_pkey PRIMARY KEY,
            checksum   text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    whole = _read(source / SCHEMA)
    steps = [_read(path) for path in sorted((source / "migrations").glob("[0-9]*.sql"))]
    rows = await db.fetch("SELECT name, checksum FROM schema_migrations")
    applied = {row["name"]: row["checksum"] for row in rows}
    if not applied:
        return await _create(db, source, whole, steps, report=report)
    return await _update(db, source, whole, steps, applied=applied, report=report)


def _read(path: Path) -> Script:
    return Script(path.name, path.read_text())


async def _create(
    db: Connection, source: Path, whole: Script, steps: list[Script], *, report: Report
) -> list[str]:
    if await db.fetchval("SELECT to_regclass('public.applications') IS NOT NULL"):
        raise MigrationError(
            "This database has tables but no record of how they were made. Use an empty database."
        )
    report(f"{whole.name}: making the schema")
    async with db.transaction():
        await db.execute(whole.sql)
        await _priors(db, source)
        for script in (whole, *steps):
            await _record(db, script)
    return [whole.name]


async def _update(
    db: Connection,
    source: Path,
    whole: Script,
    steps: list[Script],
    *,
    applied: dict[str, str],
    report: Report,
) -> list[str]:
    known = {step.name for step in steps} | {SCHEMA}
    if newer := sorted(applied.keys() - known):
        raise MigrationError(
            f"This database is newer than this version of Aero2: it has {', '.join(newer)}. "
            "Install the version that made it, or a later one."
        )
    if changed := [s.name for s in steps if applied.get(s.name, s.checksum) != s.checksum]:
        raise MigrationError(
            f"{', '.join(changed)} has changed since it was applied here. Restore the file and "
            "write a new migration for what is to change."
        )
    missing = [step for step in steps if step.name not in applied]
    if not missing and applied.get(SCHEMA) != whole.checksum:
        raise MigrationError(
            f"{SCHEMA} differs from the one this database was made from, and no file in "
            "db/migrations leads from one to the other. Add it, or start with an empty database."
        )
    for step in missing:
        report(f"{step.name}: applying")
        await try_again(partial(_apply, db, source, step), asyncpg.LockNotAvailableError)
    if missing:
        await _record(db, whole)
    return [step.name for step in missing]


async def _apply(db: Connection, source: Path, step: Script) -> None:
    """Applies a migration. Under load it gives way after two seconds, rather than make all others wait."""
    try:
        async with db.transaction():
            await db.execute("SET LOCAL lock_timeout = '2s'")
            await db.execute(step.sql)
            await _priors(db, source)
            await _record(db, step)
    except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
        raise
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"{step.name} could not be applied and changed nothing: {error}"
        ) from error


async def _priors(db: Connection, source: Path) -> None:
    """Sets the statistics that Postgres assumes of tables that are still empty."""
    if db.get_server_version().major >= TAKES_PRIORS:
        await db.execute((source / PRIORS).read_text())


async def _record(db: Connection, script: Script) -> None:
    await db.execute(
        """
        INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()
        """,
        script.name,
        script.checksum,
    )
