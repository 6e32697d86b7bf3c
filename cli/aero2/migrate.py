"""`aero2 migrate`: make the roles and the schema, or lead them to this version.

Safe to run twice and by two at once. A new database is made from db/schema.sql; an existing one
gets the files of db/migrations it lacks, in order, each in a transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg
import typer
from rich.console import Console

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Say: TypeAlias = Callable[[str], None]

SERVICES: Final = ("tenancy", "identity", "oidc", "rbac")
JOBS: Final = ("relay", "sweep", "mail", "logout", "upkeep")
ROLES: Final = (*SERVICES, *JOBS)
"""Each is the role aero2_<name>: of a service, or of a job that speaks of all applications."""
SCHEMA: Final = "schema.sql"
PRIORS: Final = "priors.sql"
LOCK: Final = 0x6165726F32
"""The advisory lock's key: `aero2` in ASCII."""
OLDEST: Final = 15
"""PostgreSQL 15: ON DELETE SET NULL of one column, UNIQUE NULLS NOT DISTINCT."""
TAKES_PRIORS: Final = 18
"""PostgreSQL 18: pg_restore_attribute_stats."""
PASSWORD_LENGTH: Final = 16
ATTEMPTS: Final = 30
"""How often a step is tried again that ran into a lock or into another runner's change of a role."""


class MigrationError(Exception):
    """The database is left as it was; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Script:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Of what it does: comments and spacing do not count."""
        code = re.sub(r"^\s*--.*$|\s+--\s.*$", "", self.sql, flags=re.MULTILINE)
        return hashlib.sha256(" ".join(code.split()).encode()).hexdigest()


def folder() -> Path:
    """The repository's db/, which the image has in the same place."""
    return Path(__file__).resolve().parents[2] / "db"


async def migrate(
    dsn: str,
    passwords: Mapping[str, str],
    *,
    source: Path | None = None,
    say: Say = lambda _: None,
) -> list[str]:
    """Bring the database of `dsn` to this version. Returns the names of the files that ran.

    `dsn` is of a superuser, or of a role with CREATEROLE that may create in the database.
    `passwords` by service or job (`tenancy`, …, `upkeep`); a role without one is left as it is.
    Raises MigrationError.
    """
    source = source or folder()
    _check(passwords)
    db = await asyncpg.connect(dsn, server_settings={"application_name": "aero2-migrate"})
    try:
        if db.get_server_version().major < OLDEST:
            raise MigrationError(f"PostgreSQL {OLDEST} or later is needed.")
        await _lock(db, say)
        await _again(partial(_roles, db, source, passwords), asyncpg.InternalServerError)
        await _become_owner(db)
        return await _schema(db, source, say)
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError(
            f"The database is too busy: a lock could not be had in {ATTEMPTS} attempts ({error}). "
            "Try again when there is less load."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"This database role may not do that: {error}. Connect as the owner of the schema or "
            "as a superuser (AERO2_OWNER_DATABASE_URL)."
        ) from error
    finally:
        await db.close()


def _check(passwords: Mapping[str, str]) -> None:
    for service, password in passwords.items():
        if service not in ROLES:
            raise MigrationError(f"There is no role aero2_{service}.")
        if len(password) < PASSWORD_LENGTH or not password.isascii():
            raise MigrationError(
                f"The password of aero2_{service} must have {PASSWORD_LENGTH} ASCII characters or more."
            )


async def _lock(db: Connection, say: Say) -> None:
    """Held until the connection closes."""
    if not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        say("waiting for another migration to end")
        await db.execute("SELECT pg_advisory_lock($1)", LOCK)


async def _again(step: Callable[[], Awaitable[None]], *errors: type[Exception]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            await step()
            return
        except errors:
            if attempt + 1 == ATTEMPTS:
                raise
            await asyncio.sleep(0.2 + attempt / 20)


async def _roles(db: Connection, source: Path, passwords: Mapping[str, str]) -> None:
    """Roles belong to the whole cluster: a runner in another database may change them meanwhile,
    which Postgres refuses with an internal error; then the whole step is done again."""
    async with db.transaction():
        await db.execute((source / "roles.sql").read_text())
        for service, password in passwords.items():
            verifier = scram_verifier(password)
            await db.execute(f"ALTER ROLE aero2_{service} LOGIN PASSWORD '{verifier}'")


def scram_verifier(password: str) -> str:
    """What Postgres stores for a password (RFC 5803): it never sees, and never logs, the password."""
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


async def _become_owner(db: Connection) -> None:
    """A superuser hands the schema to aero2_owner, so that nothing of ours belongs to a superuser;
    anybody else owns what he makes."""
    await db.execute("SET search_path = public")
    if await db.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await db.execute("GRANT USAGE, CREATE ON SCHEMA public TO aero2_owner")
        await db.execute("SET ROLE aero2_owner")


async def _schema(db: Connection, source: Path, say: Say) -> list[str]:
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
        return await _create(db, source, whole, steps, say)
    return await _update(db, source, whole, steps, applied, say)


def _read(path: Path) -> Script:
    return Script(path.name, path.read_text())


async def _create(
    db: Connection, source: Path, whole: Script, steps: list[Script], say: Say
) -> list[str]:
    if await db.fetchval("SELECT to_regclass('public.applications') IS NOT NULL"):
        raise MigrationError(
            "This database has tables but no record of how they were made. Use an empty database."
        )
    say(f"{whole.name}: making the schema")
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
    applied: dict[str, str],
    say: Say,
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
        say(f"{step.name}: applying")
        await _again(partial(_apply, db, source, step), asyncpg.LockNotAvailableError)
    if missing:
        await _record(db, whole)
    return [step.name for step in missing]


async def _apply(db: Connection, source: Path, step: Script) -> None:
    """Under load it gives way after two seconds rather than queue everybody behind it."""
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
    """What Postgres may assume of the tables that are still empty."""
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


def command() -> None:
    """Run `aero2 migrate`: what it needs is in the environment."""
    console = Console()
    dsn = os.environ.get("AERO2_OWNER_DATABASE_URL")
    if not dsn:
        console.print("[red]AERO2_OWNER_DATABASE_URL is not set.[/]")
        raise typer.Exit(2)
    passwords = {
        service: password
        for service in ROLES
        if (password := os.environ.get(f"AERO2_{service.upper()}_PASSWORD"))
    }
    for service in ROLES:
        if service not in passwords:
            console.print(
                f"[yellow]aero2_{service} keeps the password it has:[/] "
                f"AERO2_{service.upper()}_PASSWORD is not set."
            )
    try:
        ran = asyncio.run(migrate(dsn, passwords, say=lambda line: console.print(f"  {line}")))
    except MigrationError as refused:
        console.print(f"[red]Refused.[/] {refused}")
        raise typer.Exit(1) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        console.print(f"[red]The database could not be migrated:[/] {error}")
        raise typer.Exit(1) from None
    console.print(f"[green]Applied {', '.join(ran)}.[/]" if ran else "[green]Up to date.[/]")
