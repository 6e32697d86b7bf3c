"""Fills applications by COPY."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import asyncpg

from bench.growth.rows import TABLES, Growth, Table

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
COUNT_RECORDS = """
    INSERT INTO audit_counts (app_id, since, event_type, count)
    SELECT app_id, date_trunc('hour', created_at), event_type, count(*) FROM audit_logs
    WHERE app_id = $1 AND created_at <= $2 AND created_at > $3 GROUP BY 1, 2, 3
    ON CONFLICT (app_id, since, event_type) DO UPDATE SET count = audit_counts.count + excluded.count
"""


async def fill(owner: Owner, growths: Sequence[Growth]) -> None:
    """Writes the rows of every application into every table. Then vacuums and analyses."""
    for table in TABLES:
        started = time.monotonic()
        # Keys and users' words are the product's own work, and kept for the table that has words.
        role = "origin" if table.name == "users" else "replica"
        await owner.execute(f"SET session_replication_role = {role}")
        await _copy(owner, table, growths)
        seconds = time.monotonic() - started
        print(f"  {table.name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    await owner.execute("SET session_replication_role = origin")
    for growth in growths:
        await owner.execute(
            COUNT_RECORDS, growth.app_id, growth.at(growth.first), growth.at(growth.last)
        )
    await owner.execute("VACUUM ANALYZE")


async def _copy(owner: Owner, table: Table, growths: Sequence[Growth]) -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        for growth in growths:
            for number in growth.numbers(table.step):
                yield growth.app_id, *table.row(growth, number)

    await owner.copy_records_to_table(
        table.name, records=rows(), columns=["app_id", *table.columns.split()], timeout=3600
    )
