"""Several Postgres clusters, each with the rows of whole applications (docs/adr/0032)."""

from __future__ import annotations

from dataclasses import replace

from common.cluster_settings import ClusterMistake
from common.db import Database, Db


def join(databases: list[Database]) -> Database:
    """Lets each of these databases reach the others by their homes. Returns that of `main`, the first."""
    members: dict[str, Database] = {}
    members |= {each.home: replace(each, members=members) for each in databases}
    return members[databases[0].home]


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
