"""Two clusters between which applications can be moved, and the command that does it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.kit.homes import AT_WEST, WEST, TwoClusters
from tests.kit.postgres import Postgres
from tests.kit.world import World

from aero2.moves.command import MoveOptions, move
from common.homes import MAIN
from common.testing import HOMES

DURABLE: Final = """
synchronous_commit = on
fsync = off
"""
"""Commits survive a kill of the server."""


def start_movable() -> TwoClusters:
    """Starts two servers of their own. The caller stops them."""
    main = Postgres.start(settings=DURABLE)
    return TwoClusters.beside(main, Postgres.start(cluster=WEST, settings=DURABLE))


def urls_of(world: World) -> dict[str, str]:
    """Returns the owner's URLs, as the environment of the command has them."""
    return {WEST: world.dsns[f"owner{AT_WEST}"], MAIN: world.dsns["owner"]}


async def move_application(
    world: World,
    app_id: str,
    target: str,
    *,
    report: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> list[str]:
    """Moves an application of the world, whose processes hear of it, and whose relay sends. Returns the lines of
    the command. Raises CommandError."""
    lines: list[str] = []
    slug: str = options.pop("slug", None) or await world.main_owner.fetchval(
        "SELECT slug FROM applications WHERE id = $1", app_id
    )

    def heard(line: str) -> None:
        lines.append(line)
        report(line)

    async def tell(id: str) -> None:
        HOMES[id] = await world.main_owner.fetchval(
            "SELECT home FROM applications WHERE id = $1", id
        )
        world.tenants.on_invalidation(id, "application", id)

    async with relaying(world):
        await move(
            options.pop("urls", urls_of(world)),
            MoveOptions(slug, target, tell, heard, **{"pause": 0.2, "patience": 5.0} | options),
        )
    return lines


async def left_behind(world: World, app_id: str, cluster: str) -> dict[str, int]:
    """Returns what a cluster still has of an application that lives elsewhere, by table or kind."""
    owner = getattr(world, f"{cluster}_owner")
    tables = await owner.fetch(
        """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'app_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname NOT IN ('application_api_keys', 'application_words', 'custom_domains')
        """
    )
    counts = {
        row["relname"]: await owner.fetchval(
            f"SELECT count(*) FROM {row['relname']} WHERE app_id = $1", app_id
        )
        for row in tables
    }
    if cluster != MAIN:
        counts["placeholder"] = await owner.fetchval(
            "SELECT count(*) FROM applications WHERE id = $1", app_id
        )
    name = f"aero2_move_{app_id.replace('-', '')}"
    for kind, column in (
        ("pg_publication", "pubname"),
        ("pg_subscription", "subname"),
        ("pg_replication_slots", "slot_name"),
    ):
        counts[kind] = await owner.fetchval(
            f"SELECT count(*) FROM {kind} WHERE {column} = $1", name
        )
    return {name: count for name, count in counts.items() if count}


@asynccontextmanager
async def relaying(world: World) -> AsyncIterator[None]:
    """Sends what is in the outboxes, as relays do, so that they are empty after a while."""

    async def send() -> None:
        while True:
            for each in world.databases["relay"].everywhere():
                async with each.unbound_transaction() as tx:
                    await tx.execute("DELETE FROM audit_outbox")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
