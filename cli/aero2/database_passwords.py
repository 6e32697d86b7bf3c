"""Replaces the passwords of the database roles of a data folder, while the platform works (docs/adr/0026).

Every step can be repeated, and after each of them every service can connect: its file has the password that the
server accepts. So a rotation that was interrupted is finished by running it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import asyncpg

from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.password_files import write_database_files
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import DATABASE_ROLES, Secrets, password
from aero2.failures import CommandError
from aero2.migrate import set_passwords
from aero2.migration_steps import Connection

REPLACE: Final = 60.0
"""Seconds in which services replace their connections: they look at their files every 30 s, and a statement
takes 15 s at most."""
POLL: Final = 0.5
ROLES: Final = [f"aero2_{role}" for role in DATABASE_ROLES]

Report = Callable[[str], None]


async def rotate(folder: Folder, report: Report, *, within: float = REPLACE) -> None:
    """Gives every database role a new password, and ends the connections that were opened with the former one.
    Finishes an earlier rotation instead, if that was interrupted. Raises CommandError."""
    db = await _connect(folder)
    try:
        await _begin(folder, report)
        await _accept_both(folder)
        changed_at = await _change(folder, db)
        await _accept_new(folder)
        report("The server accepts the new passwords only. Services replace their connections …")
        left = await _end_old_connections(db, changed_at, within)
        if left:
            report(f"{left} connections were closed that nobody had replaced.")
        await _finish(folder)
    finally:
        await db.close()


async def _begin(folder: Folder, report: Report) -> None:
    """Writes down the new passwords, and those that they replace."""
    secrets = Secrets.load(folder)
    if secrets.former_database:
        report("Finishing a rotation that was interrupted.")
        return
    secrets.former_database = secrets.database
    secrets.database = {role: password() for role in DATABASE_ROLES}
    secrets.keep(folder)


async def _accept_both(folder: Folder) -> None:
    """Gives services both passwords."""
    write_database_files(folder, Secrets.load(folder))


async def _change(folder: Folder, db: Connection) -> datetime:
    """Changes the passwords in the server, all at once. Returns the time after which it accepts no former
    one."""
    async with db.transaction():
        await set_passwords(db, Secrets.load(folder).database)
    changed_at: datetime = await db.fetchval("SELECT clock_timestamp()")
    return changed_at


async def _accept_new(folder: Folder) -> None:
    """Takes the former passwords away from services. They replace their connections then."""
    secrets = Secrets.load(folder)
    secrets.former_database = {}
    write_database_files(folder, secrets)


async def _end_old_connections(db: Connection, changed_at: datetime, within: float) -> int:
    """Waits until services have replaced the connections from before the change, and closes the others: they may
    be of somebody else who knew a password. Returns how many it closed."""
    deadline = asyncio.get_running_loop().time() + within
    while await db.fetchval(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE usename = ANY($1) AND backend_start <= $2
        """,
        ROLES,
        changed_at,
    ):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(POLL)
    closed: int = await db.fetchval(
        """
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE usename = ANY($1) AND backend_start <= $2
        """,
        ROLES,
        changed_at,
    )
    return closed


async def _finish(folder: Folder) -> None:
    """Forgets the former passwords."""
    secrets = Secrets.load(folder)
    secrets.former_database = {}
    secrets.keep(folder)


async def _connect(folder: Folder) -> Connection:
    superuser = Secrets.load(folder).superuser
    server = Postgres(folder, ports.port_of(folder, "postgres"), superuser)
    try:
        return await asyncpg.connect(server.url("postgres", superuser), timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise CommandError(f"The database cannot be reached: {error}. Is Aero2 running?") from None
