"""asyncpg, typed and bound to one application: a query says which row type it returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import asyncpg
from pydantic import SecretStr

from common import conditions, metric_collectors, tracing
from common.autocommit_connection import AutocommitConnection
from common.bound_transaction import BoundTransaction
from common.cluster_admission import ClusterAdmission
from common.connection_pool import ConnectionPool
from common.context import Context
from common.database_opening import open_pool
from common.db_errors import FAILURES, connection_lost, translated
from common.earlier_commits import wait_for_earlier_commits
from common.homes import MAIN
from common.ids import is_app_id
from common.leased_connection import LeasedConnection
from common.pipelined_connection import PipelinedConnection
from common.pool_limits import PoolCounts
from common.problems import Busy, Conflict, Unavailable
from common.traced_connection import TracedConnection
from common.typed_rows import Db as Db
from common.typed_rows import Link as Link
from common.typed_rows import many as many
from common.typed_rows import maybe as maybe
from common.typed_rows import one as one
from common.typed_rows import run as run
from common.typed_rows import value as value

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
    """A pool of connections that see the rows of one application only, and only in a transaction. Of several
    clusters, each has a pool, and the home of a context says which is used.

    Row level security compares every row with `aero2.app_id`. It is set with SET LOCAL in the round
    trip that begins the transaction, so it never outlives the transaction.
    """

    pool: ConnectionPool[PipelinedConnection]
    name: str = ""
    on_commit: Callable[[], None] = lambda: None
    """Called after every committed write: it wakes the relay."""
    home: str = MAIN
    """The cluster. Work that is bound to no application is done here."""
    members: Mapping[str, Database] = field(default_factory=dict, compare=False, repr=False)
    """By home, this one too: see common.clusters. Empty if there is only one."""
    carry: Callable[[Database], Awaitable[None]] | None = None
    """Called after a commit with events for logs in other clusters."""
    is_registry: bool = False
    """Whether it serves applications of all homes here, for the tables that find an application."""

    @classmethod
    async def connect(
        cls,
        url: SecretStr | str,
        *,
        name: str,
        size: int = 10,
        on_commit: Callable[[], None] = lambda: None,
        home: str = MAIN,
        admission: ClusterAdmission | None = None,
        is_registry: bool = False,
    ) -> Database:
        """Opens the pool, as `open_pool` does. Raises what asyncpg raises, PoolerFound and
        ClusterMistake."""
        pool = await open_pool(
            url, name, size, home=home, admission=admission, is_registry=is_registry
        )
        database = cls(pool, name, on_commit, home, is_registry=is_registry)
        metric_collectors.POOLS.sources.add(database)
        return database

    def at(self, home: str) -> Database:
        """Returns the database of a cluster. Raises Busy if this process knows none of that name: another
        replica may."""
        if home == self.home or self.is_registry:
            return self
        try:
            return self.members[home]
        except KeyError:
            raise Busy("this replica does not know the cluster", retry_after=1) from None

    def everywhere(self) -> list[Database]:
        """Returns the databases of all clusters, that of `main` first."""
        return list(self.members.values()) or [self]

    def connections(self) -> PoolCounts:
        """Returns the numbers of connections and of waiting callers."""
        return self.pool.counts()

    @asynccontextmanager
    async def transaction(self, ctx: Context) -> AsyncIterator[BoundTransaction]:
        """Reads and writes the application's rows. Commits on leaving. Rolls back on any error, and
        if a condition was not checked."""
        here = self.at(ctx.home)
        async with here._transaction(_id(ctx.app_id)) as db:
            yield db
        here._committed()
        if db.carries and here.carry is not None:
            await here.carry(here)

    @asynccontextmanager
    async def autocommit(self, ctx: Context) -> AsyncIterator[Db]:
        """Writes with single statements: each commits by itself, in one round trip."""
        conditions.refuse_unchecked()
        here = self.at(ctx.home)
        async with here.reader(ctx) as db:
            yield db
        here._committed()

    @asynccontextmanager
    async def reader(self, ctx: Context) -> AsyncIterator[Db]:
        """Reads the application's rows, in one round trip for each statement."""
        app_id = _id(ctx.app_id)
        here = self.at(ctx.home)
        async with here._acquire() as db:
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
            db = BoundTransaction(connection, app_id, self.home, self.is_registry)
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
        """Returns whether the server answers and takes writes. Closes connections to a standby."""
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
