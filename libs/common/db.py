"""asyncpg, typed and bound to one application: a query says which row type it returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from common import conditions, logs, metrics
from common.connection_setup import check_no_transaction, set_codecs
from common.context import Context
from common.db_errors import FAILURES, connection_lost, translated
from common.ids import is_id
from common.pipelined_connection import PipelinedConnection
from common.problems import Busy

log = logs.get(__name__)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Link: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
Db: TypeAlias = "Link | AutocommitConnection"
Row = TypeVar("Row")

ACQUIRE: Final = 2.0
"""Seconds to wait for a free connection before the answer is `busy`."""

inside_transaction: ContextVar[bool] = ContextVar("inside_transaction", default=False)
"""Tests refuse bus calls while this is set: no call may wait while we hold locks."""

committed: ContextVar[bool] = ContextVar("committed", default=False)
"""Whether the handler of a request has committed a write. It must not run a second time then."""


async def maybe(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row | None:
    """Returns the first row of a statement as `row`, or None."""
    found = await db.fetchrow(sql, *args)
    return row(**found) if found is not None else None


async def one(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row:
    """Returns the first row of a statement as `row`. Raises LookupError if there is none."""
    found = await maybe(db, row, sql, *args)
    if found is None:
        raise LookupError("statement returned no row")
    return found


async def many(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> list[Row]:
    """Returns all rows of a statement as `row`."""
    return [row(**found) for found in await db.fetch(sql, *args)]


async def value(db: Db, sql: LiteralString, *args: Any) -> Any:
    """Returns the first column of the first row, or None."""
    return await db.fetchval(sql, *args)


async def run(db: Db, sql: LiteralString, *args: Any) -> int:
    """Executes a statement. Returns the number of rows that it touched."""
    tag = await db.execute(sql, *args)
    return int(tag.rsplit(" ", 1)[-1]) if tag[-1:].isdigit() else 0


async def rebind(db: Db, app_id: str) -> None:
    """Binds the rest of this transaction to another application: for the service that creates and
    deletes applications, and for the events of operators, which belong into several logs."""
    await db.execute(f"SET LOCAL aero2.app_id = '{_id(app_id)}'")


def _id(app_id: str) -> str:
    """Returns the id if it is a UUID, since it stands in the text of a statement or goes over the
    wire with a fixed length. Raises ValueError."""
    if not is_id(app_id):
        raise ValueError("app_id is not a UUID")
    return app_id


@dataclass(frozen=True, slots=True)
class AutocommitConnection:
    """A connection on which each statement is a transaction of its own, in one round trip."""

    connection: PipelinedConnection
    app_id: str

    async def fetchrow(self, sql: LiteralString, *args: Any) -> asyncpg.Record | None:
        """Returns the first row, or None."""
        rows, _ = await self.connection.bound(self.app_id, sql, args, 1)
        return rows[0] if rows else None

    async def fetch(self, sql: LiteralString, *args: Any) -> list[asyncpg.Record]:
        """Returns all rows."""
        return (await self.connection.bound(self.app_id, sql, args))[0]

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        """Returns the first column of the first row, or None."""
        row = await self.fetchrow(sql, *args)
        return row[0] if row is not None else None

    async def execute(self, sql: LiteralString, *args: Any) -> str:
        """Executes a statement. Returns the command's tag, such as `UPDATE 1`."""
        return (await self.connection.bound(self.app_id, sql, args))[1]


@dataclass(frozen=True)
class Database:
    """A pool of connections that see the rows of one application only, and only inside a
    transaction.

    Row level security compares every row with `aero2.app_id`. It is set with SET LOCAL in the round
    trip that begins the transaction, so it never outlives the transaction.
    """

    pool: Pool
    name: str = ""
    on_commit: Callable[[], None] = lambda: None
    """Called after every committed write: it wakes the relay."""

    @classmethod
    async def connect(
        cls, dsn: str, *, name: str, size: int = 10, on_commit: Callable[[], None] = lambda: None
    ) -> Database:
        """Opens the pool. Raises what asyncpg raises."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            max_inactive_connection_lifetime=300,
            command_timeout=10,
            statement_cache_size=1024,
            max_cached_statement_lifetime=0,
            connection_class=PipelinedConnection,
            init=set_codecs,
            reset=check_no_transaction,
            server_settings={
                "application_name": f"aero2-{name}",
                "plan_cache_mode": "force_generic_plan",
                "idle_in_transaction_session_timeout": "15s",
                "lock_timeout": "5s",
                "jit": "off",
            },
        )
        made = cls(pool, name, on_commit)
        metrics.POOLS.sources.add(made)
        return made

    def connections(self) -> tuple[int, int, int]:
        """Returns the numbers of connections in use, idle, and at most."""
        idle = self.pool.get_idle_size()
        return self.pool.get_size() - idle, idle, self.pool.get_max_size()

    @asynccontextmanager
    async def transaction(self, ctx: Context) -> AsyncIterator[Link]:
        """Reads and writes the application's rows. Commits on leaving. Rolls back on any error, and
        if a condition was not checked."""
        async with self._begin(f"BEGIN; SET LOCAL aero2.app_id = '{_id(ctx.app_id)}'") as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def autocommit(self, ctx: Context) -> AsyncIterator[Db]:
        """Writes with single statements: each commits by itself, in one round trip."""
        conditions.refuse_unchecked()
        async with self.reader(ctx) as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def reader(self, ctx: Context) -> AsyncIterator[Db]:
        """Reads the application's rows, in one round trip for each statement."""
        app_id = _id(ctx.app_id)
        async with self._acquire() as db:
            yield AutocommitConnection(db, app_id)  # type: ignore[arg-type] # a proxy of it

    @asynccontextmanager
    async def unbound_transaction(self) -> AsyncIterator[Link]:
        """Opens a transaction bound to no application: for tables of the platform, and for jobs."""
        async with self._begin("BEGIN") as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def unbound_autocommit(self) -> AsyncIterator[Link]:
        """Runs statements as `autocommit` does, with the database role of a job."""
        async with self._acquire() as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def _begin(self, begin: str) -> AsyncIterator[Link]:
        async with self._acquire() as db:
            await db.execute(begin)
            try:
                yield db
                conditions.refuse_unchecked()
            except BaseException:
                await asyncio.shield(_rollback(db))
                raise
            await db.execute("COMMIT")

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        """Acquires a connection. Errors of asyncpg become Problems until its release."""
        try:
            # With a timeout, asyncpg creates a task. A free connection needs none: nothing waits.
            free = self.pool.get_idle_size() > 0
            db = await self.pool.acquire(timeout=None if free else ACQUIRE)
        except TimeoutError:
            raise Busy("no database connection is free", retry_after=1) from None
        except FAILURES as error:
            raise connection_lost(error) from None
        marker = inside_transaction.set(True)
        try:
            yield db
        except FAILURES as error:
            raise translated(error, db) from None
        finally:
            inside_transaction.reset(marker)
            await self._release(db)

    async def _release(self, db: PoolConnectionProxy[asyncpg.Record]) -> None:
        try:
            await self.pool.release(db)
        except FAILURES as error:  # the pool opens another connection when it needs one
            log.info("connection dropped", error=type(error).__name__)

    def _committed(self) -> None:
        committed.set(True)
        self.on_commit()

    async def close(self) -> None:
        """Closes the pool, within three seconds."""
        metrics.POOLS.sources.discard(self)
        try:
            async with asyncio.timeout(3):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()


async def _rollback(db: Link) -> None:
    try:
        await db.execute("ROLLBACK")
    except FAILURES:
        db.terminate()
