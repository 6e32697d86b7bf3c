"""`aero2 migrate`: makes the roles and the schema, or updates them to this version.

It may run twice, and in two processes at the same time. A new database is made from db/schema.sql;
an existing one gets the files of db/migrations it lacks, in order, step by step.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg

from aero2 import owner_connection
from aero2.database_retries import try_again
from aero2.migration_steps import Connection
from aero2.schema_check import faults
from aero2.schema_files import (
    MigrationError,
    Report,
    SchemaUpdate,
    missing_migrations,
)
from common.homes import MAIN

SERVICES: Final = ("tenancy", "identity", "oidc", "rbac")
JOBS: Final = ("relay", "sweep", "mail", "logout", "upkeep", "search")
ROLES: Final = (*SERVICES, *JOBS)
"""Each is the role aero2_<name>: of a service, or of a job that speaks of all applications."""
LOCK: Final = 0x6165726F32
"""The advisory lock's key: `aero2` in ASCII."""
UNFINISHED_RESTORE: Final = "unfinished_restore"
"""A table that exists while `aero2 restore` is at work."""
OLDEST: Final = 15
"""PostgreSQL 15: ON DELETE SET NULL of one column, UNIQUE NULLS NOT DISTINCT."""
PASSWORD_LENGTH: Final = 16
MOST_FAULTS: Final = 5
"""Faults that a message lists."""


def folder() -> Path:
    """Returns the repository's db/, which the image has in the same place."""
    return Path(__file__).resolve().parents[2] / "db"


async def migrate(
    dsn: str,
    passwords: Mapping[str, str],
    *,
    source: Path | None = None,
    report: Report = lambda _: None,
    contract: bool = False,
    cluster: str = MAIN,
    restoring: bool = False,
) -> list[str]:
    """Brings the database of `dsn` to this version. Returns the names of the files that ran.

    `dsn` is of a superuser, or of a role with CREATEROLE that may create in the database.
    `passwords` by service or job (`tenancy`, …, `upkeep`); a role without one is left as it is.
    `contract` also runs migrations that take away what the version before uses. `cluster` is the name that
    the database has, or gets. `restoring` is for `aero2 restore`: a database whose restore is not complete is
    refused otherwise. Raises MigrationError, also if the schema does not keep applications apart any more.
    """
    source = source or folder()
    for mistake in mistakes_of(passwords):
        raise MigrationError(f"{mistake}.")
    db = await connect(dsn)
    try:
        if db.get_server_version().major < OLDEST:
            raise MigrationError(f"PostgreSQL {OLDEST} or later is needed.")
        await _lock(db, report)
        if not restoring:
            await refuse_unfinished_restore(db)
        if await missing_migrations(db, source):
            await _refuse_while_moving(db)
        await try_again(partial(_roles, db, source, passwords), asyncpg.InternalServerError)
        await _become_owner(db)
        update = SchemaUpdate(db, source, report, partial(connect, dsn), contract, cluster)
        ran = await update.run()
        await _refuse_faults(db)
        return ran
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"This database role may not do that: {error}. Connect as the owner of the schema or "
            "as a superuser (AERO2_OWNER_DATABASE_URL)."
        ) from error
    finally:
        await db.close()


async def missing(dsn: str, *, source: Path | None = None) -> list[str]:
    """Returns the names of the migrations that the database lacks; none if it is new."""
    db = await connect(dsn)
    try:
        return await missing_migrations(db, source or folder())
    finally:
        await db.close()


async def connect(dsn: str) -> Connection:
    """Opens a connection that the server gives up soon after this process is gone."""
    settings = {"application_name": "aero2-migrate", "client_connection_check_interval": "2s"}
    return await owner_connection.connect(dsn, server_settings=settings)


async def refuse_unfinished_restore(db: Connection) -> None:
    """Raises MigrationError if a restore into this database did not come to its end."""
    if await db.fetchval("SELECT to_regclass($1) IS NOT NULL", f"public.{UNFINISHED_RESTORE}"):
        raise MigrationError(
            "A restore into this database is not complete. Run the same `aero2 restore` again, "
            "which starts over."
        )


async def _refuse_while_moving(db: Connection) -> None:
    """Raises MigrationError if an application is between two clusters: their schemas stay as they are until it
    has arrived. `main` knows of it by its record, another cluster by a fence. Only a superuser moves
    applications, so that another role, which sees neither, need not."""
    if not await db.fetchval("SELECT to_regclass('public.application_fences') IS NOT NULL"):
        return
    if slug := await db.fetchval(
        """
        SELECT slug FROM applications WHERE id IN (
            SELECT app_id FROM application_moves UNION SELECT app_id FROM application_fences)
        LIMIT 1
        """
    ):
        raise MigrationError(
            f"The application {slug} is being moved to another cluster. Finish that, or undo it, by "
            "`aero2 apps move`. Then run `aero2 migrate` again."
        )


def mistakes_of(passwords: Mapping[str, str]) -> Iterator[str]:
    """Yields what is wrong with the passwords."""
    for service, password in passwords.items():
        if service not in ROLES:
            yield f"There is no role aero2_{service}"
        elif len(password) < PASSWORD_LENGTH or not password.isascii():
            yield (
                f"The password of aero2_{service} must have {PASSWORD_LENGTH} ASCII characters or more"
            )


async def _lock(db: Connection, report: Report) -> None:
    """Takes the lock of migrations until the connection closes."""
    if not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        report("waiting for another migration, or the move of an application, to end")
        await db.execute("SELECT pg_advisory_lock($1)", LOCK)


async def _roles(db: Connection, source: Path, passwords: Mapping[str, str]) -> None:
    """Makes the roles and sets their passwords. Roles belong to the whole cluster: if a runner in another
    database changes them meanwhile, Postgres raises an internal error, and the step is repeated."""
    async with db.transaction():
        await db.execute((source / "roles.sql").read_text())
        await set_passwords(db, passwords)


async def set_passwords(db: Connection, passwords: Mapping[str, str]) -> None:
    """Sets the password of each role. Run it in a transaction: then all change at once."""
    for service, password in passwords.items():
        verifier = scram_verifier(password)
        await db.execute(f"ALTER ROLE aero2_{service} LOGIN PASSWORD '{verifier}'")


def scram_verifier(password: str) -> str:
    """Returns the verifier that Postgres stores for a password (RFC 5803). Postgres never sees, and never
    logs, the password."""
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


async def _become_owner(db: Connection) -> None:
    """Lets a superuser hand the schema to aero2_owner, so that nothing of ours belongs to a superuser.
    Any other role owns what it makes."""
    await db.execute("SET search_path = public")
    if await db.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await db.execute("GRANT USAGE, CREATE ON SCHEMA public TO aero2_owner")
        await db.execute("SET ROLE aero2_owner")


async def _refuse_faults(db: Connection) -> None:
    """Raises MigrationError if somebody has changed the schema by hand so that it protects less."""
    if found := await faults(db):
        named = "; ".join(
            f"{each.sentence} (repair: {each.repair})" for each in found[:MOST_FAULTS]
        )
        more = f"; and {len(found) - MOST_FAULTS} more" if len(found) > MOST_FAULTS else ""
        raise MigrationError(
            f"This database is not safe to use: {named}{more}. Its schema was changed by hand, or lost "
            "in a copy. Repair that, and run `aero2 migrate` again."
        )
