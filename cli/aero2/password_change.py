"""Changes the passwords of our database roles in a server, and ends the connections from before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import asyncpg

from aero2 import owner_connection
from aero2.failures import CommandError
from aero2.migrate import ROLES, scram_verifier, set_passwords
from aero2.migration_steps import Connection
from common.database_url import DatabaseUrl

REPLACE: Final = 60.0
"""Seconds in which services replace their connections: they look at their files every 30 s, and a statement
takes 15 s at most."""
POLL: Final = 0.5
OURS: Final = [f"aero2_{role}" for role in ROLES]


async def change(db: Connection, passwords: Mapping[str, str]) -> datetime:
    """Changes the passwords of our roles in a server, all at once. Returns the time after which it accepts no
    former one."""
    async with db.transaction():
        await set_passwords(db, passwords)
    changed_at: datetime = await db.fetchval("SELECT clock_timestamp()")
    return changed_at


async def end_old_connections(db: Connection, changed_at: datetime, within: float) -> int:
    """Waits until services have replaced the connections from before the change, and closes the others: they may
    be of somebody else who knew a password. Returns how many it closed."""
    deadline = asyncio.get_running_loop().time() + within
    while await db.fetchval(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE usename = ANY($1) AND backend_start <= $2
        """,
        OURS,
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
        OURS,
        changed_at,
    )
    return closed


async def change_own(db: Connection, password: str) -> int:
    """Changes the password of the role of this connection. Returns how many other connections it has: they were
    opened with the former one."""
    role = await db.fetchval("SELECT quote_ident(session_user)")
    await db.execute(f"ALTER ROLE {role} PASSWORD '{scram_verifier(password)}'")
    others: int = await db.fetchval("""
        SELECT count(*) FROM pg_stat_activity
        WHERE usename = session_user AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    """)
    return others


async def connect_with(logins: DatabaseUrl) -> Connection:
    """Connects with the first of several logins that the server accepts: of several servers, the one that takes
    writes. Raises CommandError."""
    error: Exception | None = None
    for dsn in logins.logins():
        try:
            return await owner_connection.connect(dsn)
        except asyncpg.InvalidAuthorizationSpecificationError as refused:
            error = refused
        except owner_connection.UNREACHABLE as away:
            raise CommandError(f"The database cannot be reached: {away}.") from None
    raise CommandError(f"The database refuses the owner: {error}.")
