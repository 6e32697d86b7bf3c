"""The rows of an application in one cluster: compared with those of another, or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aero2.app_tables import AppTable
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves.records import Move

BATCH: Final = 5_000
"""Rows that one transaction deletes."""
UNMOVED: Final = frozenset({"rate_limits", "dpop_jtis"})
"""Tables that are emptied where the application was, and do not go along."""


def moved(tables: Sequence[AppTable]) -> list[AppTable]:
    """Returns the tables whose rows go along."""
    return [table for table in tables if table.carriage.moved]


def statement(move: Move, tables: Sequence[AppTable]) -> str:
    """Returns the statement that counts the rows of each table and adds up their hashes, whatever the order of
    their columns is in a cluster."""
    parts = []
    for table in tables:
        columns = ", ".join(sorted(f't."{column.name}"' for column in table.columns))
        parts.append(
            f"SELECT '{table.name}' AS name, count(*) AS rows, "  # noqa: S608 - a UUID
            f"coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0)::text AS hashes "
            f"FROM public.{table.name} t WHERE t.app_id = '{move.app_id}'"
        )
    return " UNION ALL ".join(parts)


async def figures(db: Connection, sql: str) -> dict[str, tuple[int, str]]:
    """Returns the number of rows and the sum of their hashes by table."""
    return {row["name"]: (row["rows"], row["hashes"]) for row in await db.fetch(sql)}


async def compare(source: Connection, target: Connection, sql: str) -> int:
    """Returns the number of rows, which both clusters have alike. Raises CommandError if they differ."""
    here, there = await asyncio.gather(figures(source, sql), figures(target, sql))
    for name, (count, hashes) in here.items():
        if there[name] != (count, hashes):
            what = (
                f"{there[name][0]} rows instead of {count}"
                if there[name][0] != count
                else "other content"
            )
            raise CommandError(
                f"The copy differs from the original: {name} has {what}. The application stays where it is."
            )
    return sum(count for count, _ in here.values())


async def delete(
    db: Connection, move: Move, tables: Sequence[AppTable], report: Callable[[str], None]
) -> int:
    """Deletes the application's rows in a cluster where it does not live, a batch at a time. No trigger fires:
    all tables are emptied. Repeatable. Returns how many were deleted. Raises CommandError if no fence keeps
    everybody from them."""
    total = 0
    for table in reversed(tables):
        if not table.carriage.moved and table.name not in UNMOVED:
            continue
        deleted = BATCH
        while deleted == BATCH:
            deleted = await _delete_batch(db, move, table.name)
            if deleted == BATCH:
                report(f"deleting {table.name}: {total + deleted:,} rows so far")
            total += deleted
    return total


async def _delete_batch(db: Connection, move: Move, table: str) -> int:
    async with db.transaction():
        if not await db.fetchval(
            "SELECT true FROM application_fences WHERE app_id = $1 AND is_closed AND is_hidden FOR SHARE",
            move.app_id,
        ):
            raise CommandError(f"The rows of {move.slug} are not fenced, so none is deleted.")
        await db.execute("SET LOCAL session_replication_role = replica")
        status = await db.execute(
            f"DELETE FROM public.{table} WHERE app_id = '{move.app_id}' AND ctid IN "  # noqa: S608 - a UUID
            f"(SELECT ctid FROM public.{table} WHERE app_id = '{move.app_id}' LIMIT {BATCH})"
        )
    return int(status.split()[-1])
