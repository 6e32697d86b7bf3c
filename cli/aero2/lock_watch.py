"""Names the session that a migration waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from aero2.migration_steps import Connection

INTERVAL: Final = 0.5
BLOCKERS: Final = """
    SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type) AS name,
           extract(epoch FROM now() - a.xact_start)::int AS seconds
    FROM pg_catalog.pg_stat_activity a
    WHERE a.pid = ANY (pg_catalog.pg_blocking_pids($1))
    ORDER BY a.xact_start NULLS LAST
    LIMIT 1
"""


class LockWatch:
    """Remembers what a session waited for last."""

    def __init__(self) -> None:
        self._blocker: str | None = None

    def __str__(self) -> str:
        return self._blocker or "another session"

    async def follow(self, db: Connection, pid: int) -> None:
        """Looks twice a second, until cancelled."""
        while True:
            if row := await db.fetchrow(BLOCKERS, pid):
                since = (
                    "" if row["seconds"] is None else f", in a transaction of {row['seconds']} s"
                )
                self._blocker = f"process {row['pid']} of PostgreSQL ({row['name']}{since})"
            await asyncio.sleep(INTERVAL)


@asynccontextmanager
async def watching(
    connect: Callable[[], Awaitable[Connection]], pid: int
) -> AsyncIterator[LockWatch]:
    """Follows the session `pid` on a connection of its own until the block ends."""
    watch = LockWatch()

    async def follow() -> None:
        db = await connect()
        try:
            await watch.follow(db, pid)
        finally:
            await db.close(timeout=1)

    task = asyncio.create_task(follow())
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, asyncpg.PostgresError):
            await task
