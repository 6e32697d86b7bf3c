"""Reads the size and the connections of the database."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, one


@dataclass(frozen=True)
class DatabaseRow:
    """The state of the database. `connections` are those of the whole server, as its limit is."""

    version: str
    size_bytes: int
    connections: int
    max_connections: int


async def get(db: Db) -> DatabaseRow:
    """Returns the state of the database. Any role may read these numbers."""
    return await one(
        db,
        DatabaseRow,
        """
        -- any-tenant: sizes and counts of the whole server
        SELECT current_setting('server_version') AS version,
            pg_database_size(current_database()) AS size_bytes,
            (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS connections,
            current_setting('max_connections')::int AS max_connections
        """,
    )
