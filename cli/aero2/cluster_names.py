"""The name of a cluster, which its database knows (docs/adr/0032)."""

from __future__ import annotations

from typing import Final

from aero2.migration_steps import Connection
from common.homes import MAIN

READABLE: Final = """
    GRANT SELECT ON schema_migrations
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,
       aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search
"""
"""Services compare the migrations of clusters."""


async def refusal(db: Connection, cluster: str) -> str | None:
    """Returns a sentence for the database of another cluster, else None. A database that was made before
    there were names is `main`."""
    name = await of_this(db)
    if name == cluster:
        return None
    return (
        f"This is the database of the cluster {name}, and not of {cluster}. A further cluster needs an empty "
        "database of its own."
    )


async def of_this(db: Connection) -> str:
    """Returns the name of a database among those of its deployment."""
    name = None
    if await db.fetchval("SELECT to_regclass('public.clusters') IS NOT NULL"):
        name = await db.fetchval("SELECT name FROM clusters WHERE is_this")
    return name or MAIN


async def rename(db: Connection, name: str) -> None:
    """Gives a new database its name, if that is not `main`."""
    if name != MAIN:
        await db.execute("UPDATE clusters SET name = $1", name)


async def in_use(db: Connection) -> set[str]:
    """Returns the cluster of a database and, if it is `main`, those where applications live."""
    if not await db.fetchval("SELECT to_regclass('public.clusters') IS NOT NULL"):
        return set()
    return {row["name"] for row in await db.fetch("SELECT name FROM clusters")}
