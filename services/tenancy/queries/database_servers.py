"""The standbys and the archive of a database cluster, as aero2_upkeep sees them."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, one


@dataclass(frozen=True)
class ServersRow:
    """The state of replication. Values that the owner of the schema may not see are None: it needs
    pg_read_all_stats."""

    synchronous_wanted: bool
    synchronous_standbys: int | None
    standby_lag: float | None
    """Seconds. None without a standby, too."""
    archive_failing: bool


async def get(db: Db) -> ServersRow:
    """Returns the state of replication. A standby that does not reply lags for as long as it is silent: its
    own `replay_lag` stays what it was."""
    return await one(
        db,
        ServersRow,
        """
        -- any-tenant: the state of the whole server
        SELECT current_setting('synchronous_standby_names') <> '' AS synchronous_wanted,
               s.synchronous_standbys, s.standby_lag,
               (SELECT coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false)
                FROM pg_stat_archiver a) AS archive_failing
        FROM standby_states() s
        """,
    )
