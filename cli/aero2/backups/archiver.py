"""The state of the archive of the WAL (pg_stat_archiver): for people, and for an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aero2.migration_steps import Connection

LATE: Final = timedelta(minutes=5)
"""An archive that has not taken a file that waited for so long is late."""


@dataclass(frozen=True)
class ArchiverState:
    """The state of the archiver. `waiting` files are not in the archive yet."""

    on: bool
    archived: int
    last_archived: str | None
    last_archived_at: datetime | None
    failed: int
    last_failed: str | None
    last_failed_at: datetime | None
    waiting: int
    oldest_waiting_at: datetime | None
    now: datetime

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed: nothing is archived after it."""
        if self.last_failed_at is None:
            return False
        return self.last_archived_at is None or self.last_failed_at > self.last_archived_at

    @property
    def late(self) -> bool:
        """Whether a file waits for longer than archiving takes."""
        return self.oldest_waiting_at is not None and self.now - self.oldest_waiting_at > LATE


async def archiver_state(db: Connection) -> ArchiverState:
    """Returns the state of the archiver of this server. The role is a superuser, or in pg_monitor."""
    row = await db.fetchrow("""
        SELECT current_setting('archive_mode') <> 'off' AS "on", archived_count AS archived,
               last_archived_wal AS last_archived, last_archived_time AS last_archived_at,
               failed_count AS failed, last_failed_wal AS last_failed,
               last_failed_time AS last_failed_at, now() AS now,
               ready.waiting, ready.oldest_waiting_at
        FROM pg_stat_archiver, LATERAL (
            SELECT count(*) AS waiting, min(modification) AS oldest_waiting_at
            FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS ready
    """)
    assert row is not None
    return ArchiverState(**dict(row))
