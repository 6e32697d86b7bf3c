"""Compares the registry of a restored `main` with the rows in each cluster: do the homes fit?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aero2.migration_steps import Connection
from common.homes import MAIN

REGISTRY: Final = """
    SELECT id::text, slug, home FROM applications
    WHERE state = 'active' AND at_home AND home_state = 'settled' ORDER BY slug
"""
"""Others are being made, moved or deleted: the steps of that go on after the start."""
PLACEHOLDERS: Final = """
    SELECT id::text, slug FROM applications WHERE home = $1 AND home_state = 'settled' ORDER BY slug
"""
KNOWN: Final = "SELECT id::text FROM applications"


async def differences(databases: Mapping[str, Connection]) -> list[str]:
    """Returns a sentence for each application whose rows are not where `main` says, and for each in a cluster
    that `main` does not know. `databases` are those of all clusters."""
    registry = await databases[MAIN].fetch(REGISTRY)
    registered = {row["id"] for row in await databases[MAIN].fetch(KNOWN)}
    sentences = [
        f"{row['slug']} ({row['id']}): its home {row['home']} is not in this backup."
        for row in registry
        if row["home"] not in databases
    ]
    for cluster, db in databases.items():
        if cluster == MAIN:
            continue
        there = {row["id"]: row["slug"] for row in await db.fetch(PLACEHOLDERS, cluster)}
        sentences += [
            f"{row['slug']} ({row['id']}): lives in {cluster}, which has no rows of it."
            for row in registry
            if row["home"] == cluster and row["id"] not in there
        ]
        sentences += [
            f"{slug} ({id}): {cluster} has rows of it, and {MAIN} does not know it."
            for id, slug in there.items()
            if id not in registered
        ]
    return sentences
