"""Runs the steps of one migration, each so that a crash after it loses and repeats nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import asyncpg

from aero2.migration_files import Script, Step

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

BRIEF: Final = "2s"
"""How long a step waits for a lock. All who come behind it wait as long."""
LONG: Final = "15min"
"""The same for CONCURRENTLY, which waits for all older transactions and holds nobody up."""
POLICY: Final = "migrating"
BATCH: Final = 4
"""Blocks of each partition that a backfill changes in one transaction: a few thousand rows at most."""
WALKS: Final = 5
"""How often a backfill goes through a table at most. The first walk may miss the rows that were moved behind
it, and the last one finds none."""
BLOCKS_OF: Final = """
    SELECT max(pg_relation_size(c.oid)) / current_setting('block_size')::integer
    FROM pg_catalog.pg_class c
    WHERE c.oid = $1::text::regclass
       OR c.oid IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = $1::text::regclass)
"""
SAID_EVERY: Final = 5.0
"""Seconds between two lines about a backfill."""


class MigrationSteps:
    """The steps of a file, on one connection. `finish` runs in the transaction of the last one."""

    def __init__(
        self,
        db: Connection,
        script: Script,
        finish: Callable[[], Awaitable[None]],
        report: Callable[[str], None],
    ) -> None:
        self._db, self._script, self._finish, self._report = db, script, finish, report

    @property
    def outcome(self) -> str:
        """Returns how a sentence about a failure goes on."""
        if self._script.in_one_transaction:
            return "changed nothing"
        return "will go on after the last step that succeeded"

    async def run(self, number: int) -> None:
        """Runs the step and records it. Raises PostgresError."""
        step = self._script.steps[number]
        await self._db.execute(f"SET lock_timeout = '{LONG if step.concurrent else BRIEF}'")
        if step.backfill:
            await self._backfill(step, step.backfill)
        elif step.concurrent:
            await self._concurrently(step)
        async with self._db.transaction():
            if not step.backfill and not step.concurrent:
                await self._db.execute(
                    "SET LOCAL row_security = off"
                )  # fails, rather than see nothing
                await self._db.execute(step.sql)
                await self._db.execute("SET LOCAL row_security = on")
            if number + 1 < len(self._script.steps):
                await record(self._db, self._script, number + 1)
            else:
                await self._finish()
                await record(self._db, self._script)

    async def _concurrently(self, step: Step) -> None:
        """Runs a statement outside of a transaction. An index that an interrupted run left behind is
        invalid, and is dropped first."""
        if step.new_index and await self._db.fetchval(
            """
            SELECT NOT i.indisvalid FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE i.indexrelid = to_regclass($1) AND c.relkind = 'i'
            """,
            step.new_index,
        ):
            await self._db.execute(f"DROP INDEX CONCURRENTLY {step.new_index}")
        await self._db.execute(step.sql)

    async def _backfill(self, step: Step, table: str) -> None:
        """Runs an UPDATE for all blocks, each batch in a transaction of its own, until a whole walk changes
        nothing. It ends after some walks even if services of the version before go on to write rows that
        it would change. Row level security binds the owner, too, so that a policy opens the table to them
        meanwhile."""
        await self._policy(
            f"DROP POLICY IF EXISTS {POLICY} ON {table}",
            f"CREATE POLICY {POLICY} ON {table} TO CURRENT_USER USING (true)",
        )
        rows = 0
        for _ in range(WALKS):
            changed = await self._walk(step.sql, table, rows)
            rows += changed
            if not changed:
                break
        self._report(f"{self._script.name}: {rows:,} rows of {table}")
        await self._policy(f"DROP POLICY {POLICY} ON {table}")

    async def _walk(self, sql: str, table: str, before: int) -> int:
        """Goes through the table once, some blocks of each partition at a time. Returns how many rows were
        changed. A row that a service changed meanwhile may have moved behind the walk."""
        rows, said = 0, time.monotonic()
        last: int = await self._db.fetchval(BLOCKS_OF, table)
        for first in range(0, last, BATCH):
            status = await self._db.execute(sql, (first, 0), (first + BATCH, 0))
            rows += int(status.split()[-1])
            if time.monotonic() - said >= SAID_EVERY:
                said = time.monotonic()
                part = f"{100 * first // last} % of {table}"
                self._report(f"{self._script.name}: {part}, {before + rows:,} rows so far")
        return rows

    async def _policy(self, *statements: str) -> None:
        async with self._db.transaction():
            for statement in statements:
                await self._db.execute(statement)


async def record(db: Connection, script: Script, steps_done: int | None = None) -> None:
    """Notes that the file was applied, or its first steps were."""
    await db.execute(
        """
        INSERT INTO schema_migrations (name, checksum, steps_done) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE
        SET checksum = excluded.checksum, applied_at = now(), steps_done = excluded.steps_done
        """,
        script.name,
        script.checksum,
        steps_done,
    )
