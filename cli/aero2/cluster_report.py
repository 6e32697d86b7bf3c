"""What `aero2 status` tells about each database cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from aero2.deployment import Deployment
from aero2.doctor_target import Connection, Target, open_database
from aero2.failures import CommandError
from aero2.migrate import folder as migrations
from aero2.owner_urls import read_owner_urls
from aero2.psql import embedded_postgres
from aero2.schema_files import missing_migrations
from common.homes import MAIN

PATIENCE: Final = 10.0
"""Seconds for one cluster."""
STANDBYS: Final = """
    SELECT coalesce(nullif(application_name, ''), host(client_addr), 'a standby') AS name,
        coalesce(state, 'unknown') AS state, coalesce(sync_state, 'unknown') AS sync,
        pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
            ELSE pg_current_wal_lsn() END, replay_lsn)::bigint AS lag_bytes,
        extract(epoch FROM replay_lag)::float8 AS lag_seconds
    FROM pg_catalog.pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 1
"""
"""Without the role pg_monitor, all but the number of rows is NULL."""
FAULTS: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, CommandError)


@dataclass(frozen=True)
class Standby:
    """A server that follows. The lags are None if the database does not tell: it is idle, or the role may not
    know."""

    name: str
    state: str
    sync: str
    lag_bytes: int | None = None
    lag_seconds: float | None = None

    @property
    def may_be_synchronous(self) -> bool:
        """Whether a commit waits for it, or the database does not tell."""
        return self.sync in ("sync", "quorum", "unknown")


@dataclass(frozen=True)
class ClusterStatus:
    """A database cluster. `problem` says why nothing is known about it."""

    name: str
    problem: str = ""
    version: str = ""
    missing: list[str] = field(default_factory=list)
    """Migrations of this version of aero2 that it lacks."""
    wants_synchronous: bool = False
    """Whether a commit is to wait for a standby."""
    standbys: list[Standby] = field(default_factory=list)

    def warnings(self) -> list[str]:
        """Returns sentences about what an operator should look at."""
        if self.problem:
            return [f"the database cluster {self.name} cannot be looked at: {self.problem}"]
        found = []
        if self.missing:
            found.append(f"the database cluster {self.name} lacks {len(self.missing)} migrations")
        if self.wants_synchronous and not any(each.may_be_synchronous for each in self.standbys):
            found.append(f"no standby of the database cluster {self.name} is synchronous")
        return found


def clusters_of(deployment: Deployment) -> list[ClusterStatus]:
    """Returns the clusters of a data folder, or those that the environment names with the owner's URLs: none
    without them. `main` comes first."""
    urls = _of_folder(deployment.folder.root) if deployment.folder else read_owner_urls()
    names = sorted(urls, key=lambda name: (name != MAIN, name))

    async def look() -> list[ClusterStatus]:
        return await asyncio.gather(*(_look(name, urls[name]) for name in names))

    return asyncio.run(look())


def _of_folder(folder: Path) -> dict[str, str]:
    postgres = embedded_postgres(folder)
    return {MAIN: postgres.url("postgres", postgres.superuser)}


async def _look(name: str, url: str) -> ClusterStatus:
    try:
        async with (
            asyncio.timeout(PATIENCE),
            open_database(Target(database_url=url, cluster=name)) as db,
        ):
            assert db is not None
            return await _status(name, db)
    except FAULTS as error:
        return ClusterStatus(name, str(error).split("\n", 1)[0] or type(error).__name__)


async def _status(name: str, db: Connection) -> ClusterStatus:
    has_schema = await db.fetchval("SELECT to_regclass('public.schema_migrations') IS NOT NULL")
    return ClusterStatus(
        name,
        version=str(await db.fetchval("SHOW server_version")).split(" ")[0],
        missing=await missing_migrations(db, migrations()) if has_schema else ["schema"],
        wants_synchronous=bool(await db.fetchval("SHOW synchronous_standby_names")),
        standbys=[Standby(**row) for row in await db.fetch(STANDBYS)],
    )
