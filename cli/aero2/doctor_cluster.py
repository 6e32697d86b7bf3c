"""The check of `aero2 doctor` that URLs lead to the database clusters that they name (docs/adr/0032)."""

from __future__ import annotations

from aero2.doctor_findings import Finding, failure, ok, skipped
from aero2.doctor_target import Connection, Target
from aero2.owner_urls import owner_variable
from common.homes import MAIN


async def check_cluster(target: Target, db: Connection) -> list[Finding]:
    """Each database knows the name of its cluster. `main` knows which others are the home of applications."""
    if not await db.fetchval("SELECT to_regclass('public.clusters')"):
        return skipped("cluster", "the database has no schema that names its cluster")
    names = {
        row["name"]: row["is_this"] for row in await db.fetch("SELECT name, is_this FROM clusters")
    }
    own = next((name for name, is_this in names.items() if is_this), MAIN)
    if own != target.cluster:
        return failure(
            "cluster",
            f"The URL of the cluster {target.cluster} leads to {own}.",
            f"Correct {owner_variable(target.cluster)}, and the URLs of the services with this name.",
        )
    if unseen := sorted(names.keys() - target.clusters.keys() - {own}) if own == MAIN else []:
        variables = ", ".join(map(owner_variable, unseen))
        return skipped("cluster", f"applications are also on {', '.join(unseen)}: set {variables}")
    return ok("cluster", f"This is the database of the cluster {own}.")
