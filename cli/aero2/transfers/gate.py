"""Closes an application, so that nobody gets in, and opens it again.

Services bind each transaction to an application by `bind_application`. While an application is closed, that
function is another one, which raises for it. Postgres tells all connections before their next transaction, so
no cache can be late: after the transactions that had begun before are over, nothing is written any more.
While no application is closed, the function costs nothing (docs/adr/0034).
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

import asyncpg

from aero2.failures import CommandError
from aero2.migrate import ROLES
from aero2.migration_steps import Connection

Reason = Literal["exported", "imported"]

LOCK: Final = 0x6165726F33
"""The advisory lock of everything that closes or opens an application."""
OPEN: Final = """
CREATE OR REPLACE FUNCTION bind_application(app_id text) RETURNS text LANGUAGE sql AS $bind$
    SELECT set_config('aero2.app_id', $1, true)
$bind$;
"""
"""The function as db/schema.sql has it."""
GUARDED: Final = """
CREATE OR REPLACE FUNCTION bind_application(app_id text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $bind$
BEGIN
    PERFORM set_config('aero2.app_id', $1, true);
    IF EXISTS (SELECT FROM applications a WHERE a.id = $1::uuid AND a.closed IS NOT NULL) THEN
        RAISE EXCEPTION 'application % is closed', $1 USING ERRCODE = 'AE001';
    END IF;
    RETURN $1;
END
$bind$;
"""
"""The function while an application is closed. Row level security shows it that application's row."""
PATIENCE: Final = 10.0
"""Seconds after which a transaction that began before is ended. Its caller was not told that it succeeded."""
LIMIT: Final = 90.0
"""Seconds after which the command gives up. The limits of our roles end every transaction sooner."""
OLDER: Final = """
    SELECT pid, usename FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND usename = ANY ($1::text[]) AND xact_start <= $2
"""


async def lock(db: Connection) -> None:
    """Waits until no other command closes or opens an application, or imports one. A transaction is open."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def guard(db: Connection) -> None:
    """Lets nobody into closed applications from the commit on. The caller has taken the lock."""
    await db.execute(GUARDED)


async def close(db: Connection, app_id: str) -> bool:
    """Closes an application. Returns whether it was open. Afterwards nobody writes to it any more. Raises
    CommandError."""
    async with db.transaction():
        await lock(db)
        row_id = await db.fetchval(
            """
            UPDATE applications SET closed = 'exported', closed_at = now(), home_state = 'moving'
            WHERE id = $1 AND closed IS NULL AND home_state = 'settled' AND state = 'active'
            RETURNING id
            """,
            app_id,
        )
        await guard(db)
    await _wait_for_older_transactions(db)
    return row_id is not None


async def _wait_for_older_transactions(db: Connection) -> None:
    since = await db.fetchval("SELECT clock_timestamp()")
    roles = [f"aero2_{role}" for role in ROLES]
    began = time.monotonic()
    while older := await db.fetch(OLDER, roles, since):
        waited = time.monotonic() - began
        if waited > LIMIT:
            named = ", ".join(f"{row['usename']} ({row['pid']})" for row in older)
            raise CommandError(f"Transactions that began before do not end: {named}.")
        if waited > PATIENCE:
            await _end(db, [row["pid"] for row in older])
        await asyncio.sleep(0.05)


async def _end(db: Connection, pids: list[int]) -> None:
    """Ends these transactions, if this role may."""
    try:
        await db.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid", pids)
    except asyncpg.InsufficientPrivilegeError:
        return


async def open_again(db: Connection, app_id: str) -> None:
    """Opens an application. A transaction need not be open."""
    async with db.transaction():
        await lock(db)
        await db.execute(
            """
            UPDATE applications SET closed = NULL, closed_at = NULL, home_state = 'settled'
            WHERE id = $1 AND closed IS NOT NULL
            """,
            app_id,
        )
        if not await db.fetchval(
            "SELECT EXISTS (SELECT FROM applications WHERE closed IS NOT NULL)"
        ):
            await db.execute(OPEN)
