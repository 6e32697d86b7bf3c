"""Several Postgres clusters, each with the rows of whole applications (docs/adr/0032)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import asyncpg

from common.cluster_settings import ClusterMistake
from common.homes import MAIN

if TYPE_CHECKING:
    from common.db import Database, Db

STATE: Final = """
    -- any-tenant: asks a cluster for its name and its migrations
    SELECT ARRAY(SELECT name FROM clusters WHERE is_this) AS names,
           ARRAY(SELECT name FROM schema_migrations WHERE steps_done IS NULL ORDER BY name) AS migrations
    """


@dataclass
class Admission:
    """What a server must show before a connection to it is used. One for all clusters of a process."""

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


def join(databases: list[Database]) -> Database:
    """Lets each of these databases reach the others by their homes. Returns that of `main`, the first."""
    members: dict[str, Database] = {}
    members |= {each.home: replace(each, members=members) for each in databases}
    return members[databases[0].home]


def waking(database: Database, wake: dict[str, Callable[[], None]]) -> Database:
    """Returns the database of all clusters, each of which calls its own function after a commit."""
    return join([replace(each, on_commit=wake[each.home]) for each in database.everywhere()])


async def homes_in_use(db: Db) -> list[str]:
    """Returns the clusters that `main` knows: itself, and the homes of applications."""
    rows = await db.fetch(
        "-- any-tenant: names clusters only\nSELECT name FROM clusters ORDER BY name"
    )
    return [row["name"] for row in rows]


async def refuse_unknown_homes(database: Database) -> None:
    """Raises ClusterMistake if an application lives in a cluster without a URL in the settings."""
    async with database.unbound_autocommit() as db:
        unknown = set(await homes_in_use(db)) - {each.home for each in database.everywhere()}
    if unknown:
        name = min(unknown)
        raise ClusterMistake(
            f"Applications live in the cluster {name}, but AERO2_DATABASE_URL_{name.upper()} is not set."
        )
