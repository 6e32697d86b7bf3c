"""Refuses the database of another cluster, and one that is behind (docs/adr/0032)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg

from common.cluster_settings import ClusterMistake
from common.homes import MAIN

STATE: Final = """
    -- any-tenant: asks a cluster for its name and its migrations
    SELECT ARRAY(SELECT name FROM clusters WHERE is_this) AS names,
           ARRAY(SELECT name FROM schema_migrations WHERE steps_done IS NULL ORDER BY name) AS migrations
    """


@dataclass
class ClusterAdmission:
    """Checks each new connection of one database role to all clusters."""

    migrations: frozenset[str] = frozenset()
    """Those of `main`."""

    async def admit(self, connection: asyncpg.Connection[asyncpg.Record], home: str) -> None:
        """Closes the connection and raises ConnectionError, caused by a ClusterMistake, if the database is
        not that of the cluster, or lacks a migration."""
        try:
            await self._check(connection, home)
        except ClusterMistake as mistake:
            connection.terminate()
            raise ConnectionError(str(mistake)) from mistake
        except BaseException:
            connection.terminate()
            raise

    async def _check(self, connection: asyncpg.Connection[asyncpg.Record], home: str) -> None:
        row = await connection.fetchrow(STATE)
        assert row is not None
        if row["names"] != [home]:
            found = ", ".join(row["names"]) or "none"
            raise ClusterMistake(
                f"The URL of the cluster {home} leads to the database of cluster {found}. "
                "`aero2 migrate` gives a new database its name."
            )
        if home == MAIN:
            self.migrations = frozenset(row["migrations"])
        elif missing := sorted(self.migrations - set(row["migrations"])):
            raise ClusterMistake(
                f"The cluster {home} lacks {', '.join(missing)}, which {MAIN} has. Run `aero2 migrate` "
                f"with AERO2_OWNER_DATABASE_URL_{home.upper()}."
            )
