"""asyncpg, typed and bound to one application: a query says which row type it returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg
from pydantic import SecretStr

from common import conditions, metric_collectors, tracing
from common.autocommit_connection import AutocommitConnection
from common.bound_transaction import BoundTransaction
from common.connection_pool import ConnectionPool
from common.connection_poolers import refuse_pooler, refusing_poolers
from common.connection_setup import connect_for_pool
from common.context import Context
from common.database_url import DatabaseServer
from common.db_errors import FAILURES, connection_lost, translated
from common.earlier_commits import wait_for_earlier_commits
from common.ids import is_app_id
from common.leased_connection import LeasedConnection
from common.pipelined_connection import PipelinedConnection
from common.pool_limits import PoolCounts, PoolLimits
from common.problems import Busy, Conflict, Unavailable
from common.traced_connection import TracedConnection

Link: TypeAlias = "BoundTransaction | LeasedConnection | asyncpg.Connection[asyncpg.Record]"
Db: TypeAlias = "Link | AutocommitConnection"
Row = TypeVar("Row")

ACQUIRE: Final = 2.0
"""Seconds to wait for a free connection before the answer is `busy`."""
ROLLBACK: Final = 1.0
"""Seconds for a rollback. A server that takes longer is away, and the connection is closed."""
CLOSE: Final = 3.0
"""Seconds for statements to end when the process ends."""

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


async def defer(db: Db, sql: LiteralString, *args: Any) -> None:
    """Executes a statement whose result nobody needs. In a transaction it goes out with the next statement,
    or with COMMIT, which raises its error."""
    if isinstance(db, BoundTransaction):
        db.defer(sql, *args)
    else:
        await db.execute(sql, *args)


async def rebind(db: Db, app_id: str) -> None:
    """Binds the rest of this transaction to another application: for the service that creates and
    deletes applications, and for the events of operators, which belong into several logs."""
    await db.execute(f"SET LOCAL aero2.app_id = '{_id(app_id)}'")


def _id(app_id: str) -> str:
    """Returns the id if it is a UUID: it stands in the text of a statement. Raises ValueError."""
    if not is_app_id(app_id):
        raise ValueError("app_id is not a UUID")
    return app_id


@dataclass(frozen=True)
class Database:
    """A pool of connections that see the rows of one application only, and only in a transaction.

    Row level security compares every row with `aero2.app_id`. It is set with SET LOCAL in the round
    trip that begins the transaction, so it never outlives the transaction.
    """

    pool: ConnectionPool[PipelinedConnection]
    name: str = ""
    on_commit: Callable[[], None] = lambda: None
    """Called after every committed write: it wakes the relay."""

    @classmethod
    async def connect(
        cls,
        url: SecretStr | str,
        *,
        name: str,
        size: int = 10,
        on_commit: Callable[[], None] = lambda: None,
    ) -> Database:
        """Opens the pool. Raises what asyncpg raises, and PoolerFound."""
        server = DatabaseServer(url)

        async def connect() -> PipelinedConnection:
            return await connect_for_pool(server, name, pool.connections)

        pool = ConnectionPool(connect, PoolLimits(most=size), server.was_replaced)
        async with refusing_poolers():
            await pool.open()
        try:
            await refuse_pooler(pool.connections()[0])
        except BaseException:
            pool.terminate()
            raise
        database = cls(pool, name, on_commit)
        metric_collectors.POOLS.sources.add(database)
        return database

    def connections(self) -> PoolCounts:
        """Returns the numbers of connections and of waiting callers."""
        return self.pool.counts()

    @asynccontextmanager
    async def transaction(self, ctx: Context) -> AsyncIterator[Link]:
        """Reads and writes the application's rows. Commits on leaving. Rolls back on any error, and
        if a condition was not checked."""
        async with self._transaction(_id(ctx.app_id)) as db:
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
            yield AutocommitConnection(db, app_id)

    @asynccontextmanager
    async def unbound_transaction(self) -> AsyncIterator[Link]:
        """Opens a transaction bound to no application: for tables of the platform, and for jobs."""
        async with self._transaction(None) as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def unbound_autocommit(self) -> AsyncIterator[Link]:
        """Runs single statements that are bound to no application, as `unbound_transaction` does. Each
        commits by itself, in one round trip."""
        async with self._acquire() as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def _transaction(self, app_id: str | None) -> AsyncIterator[BoundTransaction]:
        async with self._acquire() as connection:
            db = BoundTransaction(connection, app_id)
            try:
                yield db
                conditions.refuse_unchecked()
                await db.commit()
            except BaseException:
                if not db.is_closed():
                    await asyncio.shield(_rollback(db))
                raise

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[LeasedConnection]:
        """Acquires a connection of the pool. Errors of asyncpg become Problems until its release. A
        conflict tells the caller what was committed before, so it waits for that to be durable."""
        try:
            connection = await self.pool.acquire(ACQUIRE)
        except TimeoutError:
            raise Busy("no database connection is free", retry_after=1) from None
        except FAILURES as error:
            raise connection_lost(error) from None
        lease = (LeasedConnection if tracing.recorder is None else TracedConnection)(connection)
        marker = inside_transaction.set(True)
        try:
            try:
                yield lease
            except (Conflict, asyncpg.UniqueViolationError):
                await wait_for_earlier_commits(lease)
                raise
        except FAILURES as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                self.pool.expire()
            raise translated(error, lease) from None
        finally:
            inside_transaction.reset(marker)
            lease.end()
            self.pool.release(connection)

    def _committed(self) -> None:
        committed.set(True)
        self.on_commit()

    async def takes_writes(self) -> bool:
        """Returns whether the server answers and is no standby: nobody can sign in there. Closes the
        connections to a standby."""
        try:
            async with self._acquire() as db:
                takes_writes: bool = await db.fetchval("SHOW transaction_read_only") == "off"
        except (*FAILURES, Unavailable):
            return False
        if not takes_writes:
            self.pool.expire()
        return takes_writes

    async def close(self) -> None:
        """Closes the pool, within three seconds."""
        metric_collectors.POOLS.sources.discard(self)
        await self.pool.close(CLOSE)


async def _rollback(db: BoundTransaction) -> None:
    try:
        await db.rollback(ROLLBACK)
    except FAILURES:
        db.terminate()
