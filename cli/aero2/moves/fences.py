"""The fence of a move: in the database, so that no cache of a process can let a request pass.

At its home, `home_state` says `moving`: bind_at_home raises, and the caller gets `busy`. Jobs, which are not
bound to an application, leave alone those in `application_fences`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from uuid import uuid4

from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves.clusters import NAME
from aero2.moves.records import Move
from common.homes import MAIN

OLD: Final = 5.0
"""Seconds that a transaction may go on after the fence. Then its session is ended."""
STEP: Final = 0.005
"""Seconds between two looks while the application waits."""
OLDER: Final = """
    SELECT pid, coalesce(nullif(application_name, ''), usename, '?') AS name
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start <= $1
      AND application_name NOT IN ($2, 'pg_dump')
"""
"""Transactions that may have passed before the fence. A dump only reads."""
UNAWARE: Final = """
    SELECT DISTINCT application_name FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
      AND usename IN ('aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac')
      AND application_name NOT LIKE 'aero2-%-' || $1 || '/%' AND application_name NOT LIKE 'aero2-aero2-refill/%'
    ORDER BY 1 LIMIT 3
"""
"""Processes that know one cluster only: they bind without asking for the home."""


async def refuse_unaware(source: Connection, move: Move) -> None:
    """Raises CommandError if a service is connected to the source whose settings name no other cluster."""
    if names := [row[0] for row in await source.fetch(UNAWARE, move.source)]:
        raise CommandError(
            f"{', '.join(names)} is connected to {move.source} and knows no other cluster, so no fence would "
            f"stop it. Give every service the URLs of {move.target}, and restart it."
        )


async def open_source(source: Connection, move: Move) -> None:
    """Writes the row of the source that the target gets, too. It closes nothing yet."""
    await source.execute(
        """
        INSERT INTO application_fences (app_id, cluster, is_closed, is_hidden, mark)
        VALUES ($1, $2, false, false, $3) ON CONFLICT (app_id, cluster) DO NOTHING
        """,
        move.app_id,
        move.source,
        uuid4(),
    )


async def close_target(target: Connection, move: Move) -> None:
    """Keeps everybody from the copy. Repeatable."""
    async with target.transaction():
        if move.target != MAIN:
            await target.execute(
                """
                INSERT INTO applications (id, slug, name, state, home, home_state)
                VALUES ($1, $2, $2, 'active', $3, 'arriving')
                ON CONFLICT (id) DO UPDATE SET home = excluded.home, home_state = 'arriving'
                """,
                move.app_id,
                move.slug,
                move.target,
            )
        await _hide(target, move, move.target)


async def close_source(source: Connection, move: Move) -> None:
    """Closes the application at its home, and waits until nobody is inside. Repeatable. Raises CommandError
    if it has another home."""
    async with source.transaction():
        tag = await source.execute(
            "UPDATE applications SET home_state = 'moving' WHERE id = $1 AND home = $2",
            move.app_id,
            move.source,
        )
        if tag != "UPDATE 1":
            raise CommandError(f"{move.slug} does not live in {move.source} any more.")
        await source.execute(
            "UPDATE application_fences SET is_closed = true WHERE app_id = $1 AND cluster = $2",
            move.app_id,
            move.source,
        )
    await _wait_for_older(source)


async def _wait_for_older(source: Connection) -> None:
    """Waits for the transactions that have begun before now. Ends those that take too long: what they have
    not committed, nobody was told."""
    closed_at = await source.fetchval("SELECT clock_timestamp()")
    since = time.monotonic()
    while older := await source.fetch(OLDER, closed_at, NAME):
        if time.monotonic() - since > OLD:
            await source.execute(
                "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS old (pid)",
                [row["pid"] for row in older],
            )
        await asyncio.sleep(STEP)


async def wait_for_mark(source: Connection, target: Connection, move: Move) -> None:
    """Waits until the target has everything that was committed at the source before this call."""
    mark = uuid4()
    await source.execute(
        "UPDATE application_fences SET mark = $3 WHERE app_id = $1 AND cluster = $2",
        move.app_id,
        move.source,
        mark,
    )
    arrived = "SELECT true FROM application_fences WHERE app_id = $1 AND cluster = $2 AND mark = $3"
    while not await target.fetchval(arrived, move.app_id, move.source, mark):
        await asyncio.sleep(STEP)


async def lift(source: Connection, move: Move) -> None:
    """Opens the application at its home again. Repeatable."""
    async with source.transaction():
        await source.execute(
            "UPDATE applications SET home_state = 'settled' WHERE id = $1 AND home = $2",
            move.app_id,
            move.source,
        )
        await source.execute(
            "UPDATE application_fences SET is_closed = false WHERE app_id = $1 AND cluster = $2",
            move.app_id,
            move.source,
        )


async def hide_source(source: Connection, move: Move) -> None:
    """Hides what is left at the source from searches, too. Repeatable."""
    async with source.transaction():
        if move.source != MAIN:
            await source.execute(
                "UPDATE applications SET home = $2, home_state = 'moving' WHERE id = $1",
                move.app_id,
                move.target,
            )
        await _hide(source, move, move.source)


async def _hide(db: Connection, move: Move, cluster: str) -> None:
    """Closes the rows of the application in a cluster to jobs, and hides them from searches. Repeatable."""
    await db.execute(
        """
        INSERT INTO application_fences (app_id, cluster, is_closed, is_hidden, mark)
        VALUES ($1, $2, true, true, $3)
        ON CONFLICT (app_id, cluster) DO UPDATE SET is_closed = true, is_hidden = true
        """,
        move.app_id,
        cluster,
        uuid4(),
    )


async def forget(db: Connection, move: Move) -> None:
    """Deletes the fences of a cluster: it is the new home, and jobs and searches find the application there, or
    it has no rows of it any more. Repeatable."""
    await db.execute("DELETE FROM application_fences WHERE app_id = $1", move.app_id)
