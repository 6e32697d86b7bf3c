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

LOGICAL: Final = """
wal_level = logical
max_slot_wal_keep_size = 1GB
max_replication_slots = 20
max_wal_senders = 20
max_active_replication_origins = 20
max_logical_replication_workers = 8
max_worker_processes = 16
synchronous_commit = on
"""


def start_movable() -> TwoClusters:
    """Starts two servers of their own. The caller stops them."""
    main = Postgres.start(settings=LOGICAL)
    return TwoClusters.beside(main, Postgres.start(cluster=WEST, settings=LOGICAL))


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
    slug: str = await world.main_owner.fetchval(
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
