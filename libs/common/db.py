"""asyncpg, typed and bound to one application: a query says which row type it returns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from common import logs, metrics
from common.context import Context
from common.ids import is_id
from common.pipelined_connection import PipelinedConnection
from common.problems import Busy, Outdated, Unavailable

log = logs.get(__name__)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Link: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
Db: TypeAlias = "Link | Single"
Row = TypeVar("Row")

FAILURES: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Whatever asyncpg raises."""
ACQUIRE: Final = 2.0
"""Seconds to wait for a free connection before saying `busy`."""

inside_transaction: ContextVar[bool] = ContextVar("inside_transaction", default=False)
"""Tests refuse bus calls while this is set: a call to another service never holds our locks."""

committed: ContextVar[bool] = ContextVar("committed", default=False)
"""Whether the handler of a request has committed a write: it must not run once more then."""


async def maybe(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row | None:
    found = await db.fetchrow(sql, *args)
    return row(**found) if found is not None else None


async def one(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row:
    """Raises LookupError where the statement returned nothing."""
    found = await maybe(db, row, sql, *args)
    if found is None:
        raise LookupError("statement returned no row")
    return found


async def many(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> list[Row]:
    return [row(**found) for found in await db.fetch(sql, *args)]


async def value(db: Db, sql: LiteralString, *args: Any) -> Any:
    """The first column of the first row, or None."""
    return await db.fetchval(sql, *args)


async def run(db: Db, sql: LiteralString, *args: Any) -> int:
    """Execute; the number of rows it touched."""
    tag = await db.execute(sql, *args)
    return int(tag.rsplit(" ", 1)[-1]) if tag[-1:].isdigit() else 0


async def rebind(db: Db, app_id: str) -> None:
    """The rest of this transaction belongs to another application. Only the service that makes and
    deletes applications crosses over like this, to keep both sides in one transaction."""
    await db.execute(f"SET LOCAL aero2.app_id = '{_id(app_id)}'")


def _id(app_id: str) -> str:
    """What stands in a statement's text or goes over the wire with its length fixed."""
    if not is_id(app_id):
        raise ValueError("app_id is not a UUID")
    return app_id


@dataclass(frozen=True, slots=True)
class Single:
    """Where each statement is a transaction of its own, bound to the application, in one round trip."""

    connection: PipelinedConnection
    app_id: str

    async def fetchrow(self, sql: LiteralString, *args: Any) -> asyncpg.Record | None:
        rows, _ = await self.connection.bound(self.app_id, sql, args, 1)
        return rows[0] if rows else None

    async def fetch(self, sql: LiteralString, *args: Any) -> list[asyncpg.Record]:
        return (await self.connection.bound(self.app_id, sql, args))[0]

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        row = await self.fetchrow(sql, *args)
        return row[0] if row is not None else None

    async def execute(self, sql: LiteralString, *args: Any) -> str:
        """The command's tag, such as `UPDATE 1`."""
        return (await self.connection.bound(self.app_id, sql, args))[1]


def violated(error: asyncpg.IntegrityConstraintViolationError) -> str:
    """The name of the violated constraint as db/schema.sql has it. Postgres names a partition's own
    key (`users_app_id_email_key_p07`) and numbers a foreign key's partitions (`…_fkey_4`)."""
    return re.sub(r"_p?\d+$", "", error.constraint_name or "")


@dataclass(frozen=True)
class Database:
    """A pool whose connections see one application's rows only, and only inside a transaction.

    Row level security compares every row with `aero2.app_id`, which is set with SET LOCAL in the
    round trip that begins the transaction, and so never outlives it.
    """

    pool: Pool
    name: str = ""
    on_commit: Callable[[], None] = lambda: None
    """Called after every committed write: it wakes the relay."""

    @classmethod
    async def connect(
        cls, dsn: str, *, name: str, size: int = 10, on_commit: Callable[[], None] = lambda: None
    ) -> Database:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            max_inactive_connection_lifetime=300,
            command_timeout=10,
            statement_cache_size=1024,
            max_cached_statement_lifetime=0,
            connection_class=PipelinedConnection,
            init=_codecs,
            reset=_nothing_to_reset,
            server_settings={
                "application_name": f"aero2-{name}",
                "plan_cache_mode": "force_generic_plan",
                "idle_in_transaction_session_timeout": "15s",
                "lock_timeout": "5s",
                "jit": "off",
            },
        )
        made = cls(pool, name, on_commit)
        metrics.POOLS.known.add(made)
        return made

    def connections(self) -> tuple[int, int, int]:
        """In use, idle, and the most there may be."""
        idle = self.pool.get_idle_size()
        return self.pool.get_size() - idle, idle, self.pool.get_max_size()

    @asynccontextmanager
    async def transaction(self, ctx: Context) -> AsyncIterator[Link]:
        """Read and write the application's rows; commits on leaving, rolls back on any error."""
        async with self._begun(f"BEGIN; SET LOCAL aero2.app_id = '{_id(ctx.app_id)}'") as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def single(self, ctx: Context) -> AsyncIterator[Db]:
        """Write with one statement: each that is executed commits by itself, in one round trip."""
        async with self.reading(ctx) as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def reading(self, ctx: Context) -> AsyncIterator[Db]:
        """Read the application's rows, in one round trip a statement."""
        app_id = _id(ctx.app_id)
        async with self._taken() as db:
            yield Single(db, app_id)  # type: ignore[arg-type] # a proxy of it

    @asynccontextmanager
    async def everywhere(self) -> AsyncIterator[Link]:
        """A transaction bound to no application: only the registry's tables, or the platform
        role's sweeps, have anything to see here."""
        async with self._begun("BEGIN") as db:
            yield db
        self._committed()

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[Link]:
        async with self._taken() as db:
            await db.execute(begin)
            try:
                yield db
            except BaseException:
                await asyncio.shield(_rollback(db))
                raise
            await db.execute("COMMIT")

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        """A connection of the pool; what asyncpg raises while it is held becomes a Problem."""
        try:
            # With a time limit asyncpg makes a task; where a connection is free there is no wait.
            free = self.pool.get_idle_size() > 0
            db = await self.pool.acquire(timeout=None if free else ACQUIRE)
        except TimeoutError:
            raise Busy("no database connection is free", retry_after=1) from None
        except FAILURES as error:
            raise _lost(error) from None
        marker = inside_transaction.set(True)
        try:
            yield db
        except FAILURES as error:
            raise _translated(error, db) from None
        finally:
            inside_transaction.reset(marker)
            await self._release(db)

    async def _release(self, db: PoolConnectionProxy[asyncpg.Record]) -> None:
        try:
            await self.pool.release(db)
        except FAILURES as error:  # the pool has dropped it, and makes another when it is needed
            log.info("connection dropped", error=type(error).__name__)

    def _committed(self) -> None:
        committed.set(True)
        self.on_commit()

    async def close(self) -> None:
        metrics.POOLS.known.discard(self)
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


_GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # what asyncpg says when the server's last word came unasked
)
_OVERLOADED = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.DiskFullError,
)


def _translated(error: Exception, db: Link) -> Exception:
    """The Problem for a database that is away or overloaded; other errors as they are."""
    if isinstance(error, _OVERLOADED):
        return Busy("the database is busy", retry_after=1)
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # asyncpg has forgotten them by now
        return Outdated("the database is being changed", retry_after=1)
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):  # a standby since a failover
        db.terminate()
        return _lost(error)
    if isinstance(error, OSError) and not _of_driver(error.__traceback__):
        return error  # a file, the bus: whoever holds a transaction may do other things, too
    if isinstance(error, _GONE) or (isinstance(error, asyncpg.InterfaceError) and _closed(db)):
        return _lost(error)
    return error


def _of_driver(trace: TracebackType | None) -> bool:
    """Whether the error passed through asyncpg, or through our part of its protocol."""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "asyncpg" or module == PipelinedConnection.__module__:
            return True
        trace = trace.tb_next
    return False


def _closed(db: Link) -> bool:
    try:
        return db.is_closed()
    except asyncpg.InterfaceError:  # so much so that the pool has taken it back already
        return True


def _lost(error: BaseException) -> Unavailable:
    return Unavailable(f"the database is not reachable ({type(error).__name__})", retry_after=1)


async def _nothing_to_reset(db: Link) -> None:
    """asyncpg would spend a round trip on RESET ALL; nothing but SET LOCAL is ever set, so it is
    enough that no transaction is left open."""
    if db.is_in_transaction():
        raise asyncpg.InterfaceError("connection returned inside a transaction")


async def _codecs(db: Link) -> None:
    await db.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    for kind in ("jsonb", "json"):
        await db.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            format="text",
        )
