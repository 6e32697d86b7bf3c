"""Fills applications by COPY."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
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


ADD_WORDS = """
    INSERT INTO user_words (app_id, user_id, word, shared)
    SELECT u.app_id, u.id, w.word, w.shared
    FROM unnest($1::uuid[], $2::timestamptz[]) AS grown (app_id, newest)
    JOIN users u ON u.app_id = grown.app_id AND u.created_at <= grown.newest
    CROSS JOIN LATERAL words_of_user(u.email_normalized, ARRAY[
        u.name, u.given_name, u.middle_name, u.family_name, u.nickname, u.preferred_username]) AS w
"""
"""What the trigger of users does, for all rows at once."""


async def fill(owner: Owner, beside: Owner, growths: Sequence[Growth]) -> None:
    """Writes the rows of every application into every table. Then vacuums and analyses.

    The database computes the words of users on the connection `beside`, while this process computes the
    rows of the other tables.
    """
    await owner.execute("SET session_replication_role = replica")
    users, *others = TABLES
    await _timed(users.name, _copy(owner, users, growths))
    async with asyncio.TaskGroup() as group:
        group.create_task(_timed("user_words", _add_words(beside, growths)))
        for table in others:
            await _timed(table.name, _copy(owner, table, growths))
    await owner.execute("SET session_replication_role = origin")
    for growth in growths:
        await owner.execute(
            COUNT_RECORDS, growth.app_id, growth.at(growth.first), growth.at(growth.last)
        )
    await _timed("vacuum", owner.execute("VACUUM ANALYZE"))


async def _timed(name: str, work: Awaitable[object]) -> None:
    started = time.monotonic()
    await work
    seconds = time.monotonic() - started
    print(f"  {name}: {seconds:.0f} s", file=sys.stderr, flush=True)


async def _add_words(beside: Owner, growths: Sequence[Growth]) -> None:
    newest = [growth.at(growth.first) for growth in growths]
    ids = [growth.app_id for growth in growths]
    await beside.execute(ADD_WORDS, ids, newest, timeout=3600)


async def _copy(owner: Owner, table: Table, growths: Sequence[Growth]) -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        for growth in growths:
            for number in growth.numbers(table.step):
                yield growth.app_id, *table.row(growth, number)

    await owner.copy_records_to_table(
        table.name, records=rows(), columns=["app_id", *table.columns.split()], timeout=3600
    )
