"""A connection goes from one application's request to the next, and nothing goes with it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import asyncpg
import pytest
from prometheus_client import REGISTRY, generate_latest
from tests.kit.postgres import Postgres
from tests.service.db.test_pipelined_connection import ADD, SEEN, A, B, create_applications, seen

from common import db as common_db
from common import metric_collectors
from common.db import Database, defer, value
from common.problems import Busy, Unavailable

PID = "SELECT pg_backend_pid()"
STATE = """
    SELECT current_user::text, current_setting('aero2.app_id', true), current_setting('role'),
           current_setting('plan_cache_mode'), current_setting('lock_timeout'),
           current_setting('search_path'), current_setting('application_name'),
           (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
    """
"""What one user of a session could leave behind for the next."""


@pytest.fixture
async def db(database: dict[str, str]) -> AsyncIterator[Database]:
    """One connection, so that whatever one use leaves would reach the next."""
    await create_applications(database["owner"])
    made = await Database.connect(database["identity"], name="test", size=1)
    yield made
    await made.close()


async def ask(db: Database, sql: Any) -> Any:
    async with db.unbound_transaction() as tx:
        return await tx.fetchrow(sql)


async def pid(db: Database) -> int:
    return int((await ask(db, PID))[0])


async def test_one_connection_serves_all_and_keeps_its_statements(db: Database) -> None:
    """A return costs the server nothing: the same session, and nothing is prepared again."""
    first = await pid(db)
    await seen(db, A, A.app_id)
    prepared = await ask(db, "SELECT count(*) FROM pg_prepared_statements")
    for _ in range(5):
        await seen(db, B, B.app_id)
        async with db.transaction(A) as tx:
            await tx.fetchval(SEEN, A.app_id)
    again = await ask(db, "SELECT count(*) FROM pg_prepared_statements")

    assert await pid(db) == first
    assert again[0] - prepared[0] <= 1, "only the question itself is new"


async def use(db: Database, how: str) -> None:
    """Uses the connection for application A, and ends in some way."""
    if how == "read":
        await seen(db, A, A.app_id)
        return
    async with db.transaction(A) as tx:
        await tx.execute("SET LOCAL lock_timeout = 0")
        await tx.execute(ADD, A.app_id, str(uuid.uuid4()), f"{uuid.uuid4()}@example.com")
        if how == "error":
            await tx.fetchval("SELECT 1 / 0")
        if how == "refused":
            raise Busy("not now")
        if how == "cancelled":
            async with asyncio.timeout(0.05):
                await tx.fetchval("SELECT pg_sleep(5)")


@pytest.mark.parametrize("how", ["read", "commit", "error", "refused", "cancelled"])
async def test_the_next_user_finds_the_session_as_it_was_opened(db: Database, how: str) -> None:
    """Role, settings, locks and application are those of a new session. It is the same session, unless
    a statement was cut off in the middle."""
    fresh, session = tuple(await ask(db, STATE)), await pid(db)
    with contextlib.suppress(asyncpg.DivisionByZeroError, Busy, TimeoutError):
        await use(db, how)
    after = tuple(await ask(db, STATE))

    assert (after[0], after[1] or "", *after[2:]) == (fresh[0], fresh[1] or "", *fresh[2:])
    assert await seen(db, B, A.app_id) == 0
    assert (await pid(db) == session) is (how != "cancelled")
    users = await seen(db, A, A.app_id)
    assert users == (2 if how == "commit" else 1), "what was not committed is gone"


async def test_a_connection_that_comes_back_inside_a_transaction_is_not_lent_again(
    db: Database,
) -> None:
    """The transaction of A, and what it wrote, end with the session."""
    connection = await db.pool.acquire(1.0)
    session = await connection.fetchval(PID)
    await connection.execute(f"BEGIN; SET LOCAL aero2.app_id = '{A.app_id}'")
    await connection.execute(ADD, A.app_id, str(uuid.uuid4()), "half@example.com")
    db.pool.release(connection)

    assert await pid(db) != session
    assert await seen(db, A, A.app_id) == 1


async def test_a_failed_transaction_is_not_lent_again_either(db: Database) -> None:
    """The server would refuse every statement of the next user."""
    connection = await db.pool.acquire(1.0)
    await connection.execute("BEGIN")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("SELECT 1 / 0")
    db.pool.release(connection)

    assert await seen(db, A, A.app_id) == 1


async def test_a_reference_that_outlives_its_block_is_refused(db: Database) -> None:
    """Otherwise a forgotten task would read on in the transaction of another application."""
    async with db.reader(A) as reader:
        pass
    async with db.transaction(A) as kept:
        pass
    async with db.transaction(B) as tx:
        with pytest.raises(asyncpg.InterfaceError):
            await value(reader, SEEN, A.app_id)
        for late in (kept.execute, kept.fetch, kept.fetchrow, kept.fetchval):
            with pytest.raises(asyncpg.InterfaceError):
                await late("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError):
            await defer(kept, "SELECT 1")
        kept.terminate()
        assert kept.is_closed()
        assert await tx.fetchval(SEEN, B.app_id) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep($1)",
        "SELECT repeat('x', 9000), pg_sleep($1 * n) FROM generate_series(0, 1) n",
    ],
    ids=["before its first row", "after its first row"],
)
async def test_a_statement_that_outlives_its_block_takes_its_connection_along(
    db: Database, sql: LiteralString
) -> None:
    """A task was forgotten in the middle of its statement. The next user gets another session."""
    session = await pid(db)
    async with db.reader(A) as reader:
        forgotten = asyncio.create_task(reader.fetch(sql, 30.0))
        await asyncio.sleep(0.1)

    assert await seen(db, B, B.app_id) == 1
    assert await pid(db) != session
    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
        await forgotten


async def test_two_statements_at_once_on_one_connection_are_refused(db: Database) -> None:
    """The second is refused before it binds anything, and the first is not disturbed."""
    async with db.reader(A) as one:
        await value(one, SEEN, A.app_id)
        first = asyncio.create_task(one.fetchval("SELECT $1::int FROM pg_sleep(0.1)", 7))
        await asyncio.sleep(0.02)
        with pytest.raises(asyncpg.InterfaceError):
            await value(one, SEEN, A.app_id)
        assert await first == 7


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.02])
async def test_a_cancelled_transaction_commits_nothing(db: Database, moment: float) -> None:
    """Wherever it is cut off: nothing is written, and the pool has its connection again."""

    async def work() -> None:
        async with db.transaction(A) as tx:
            await tx.execute(ADD, A.app_id, str(uuid.uuid4()), "new@example.com")
            await tx.fetchval("SELECT pg_sleep(5)")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(moment):
            await work()

    assert await seen(db, A, A.app_id) == 1
    assert db.connections() == (0, 1, 1, 0)


@pytest.mark.parametrize("how", ["reader", "transaction"])
async def test_the_server_ends_what_a_cancelled_caller_has_begun(
    database: dict[str, str], db: Database, how: str
) -> None:
    """The connection is closed without a word, and no second one asks to cancel. The server notices
    that nobody is there, long before `statement_timeout`."""
    owner = await asyncpg.connect(database["owner"])

    async def work() -> None:
        async with getattr(db, how)(A) as link:
            await link.fetchval("SELECT pg_sleep($1)", 14.0)

    async def until_running(count: int) -> None:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep($1)%'"
        async with asyncio.timeout(8):
            while await owner.fetchval(sql) != count:
                await asyncio.sleep(0.05)

    begun = asyncio.create_task(work())
    await until_running(1)
    begun.cancel()
    await until_running(0)
    await owner.close()


async def test_a_full_pool_answers_busy(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was started, so the caller may try again. Those who wait are counted meanwhile."""
    monkeypatch.setattr(common_db, "ACQUIRE", 0.05)
    async with db.unbound_transaction():
        with pytest.raises(Busy):
            await seen(db, A, A.app_id)
        monkeypatch.undo()
        waiting = asyncio.create_task(seen(db, B, B.app_id))
        await asyncio.sleep(0)
        assert db.connections() == (1, 0, 1, 1)
        assert b'aero2_pool_waiting{pool="test"} 1.0' in generate_latest(REGISTRY)
    assert await waiting == 1
    assert db.connections() == (0, 1, 1, 0)


async def test_the_pools_connections_are_counted_until_it_is_closed(db: Database) -> None:
    """Prometheus sees pools that are open."""
    assert db in metric_collectors.POOLS.sources
    assert b'aero2_pool_connections{pool="test",state="idle"} 1.0' in generate_latest(REGISTRY)
    await db.close()
    assert db not in metric_collectors.POOLS.sources
    with pytest.raises(Unavailable):
        await seen(db, A, A.app_id)


async def test_a_changed_table_is_learned_by_all_connections_at_once(
    database: dict[str, str],
) -> None:
    """Otherwise a handler that runs once more would meet the next connection that does not know."""
    read = "SELECT updated_at FROM users WHERE app_id = $1"
    shared = await Database.connect(database["identity"], name="test", size=2)
    async with shared.transaction(A) as one, shared.transaction(A) as two:
        await one.fetch(read, A.app_id)
        await two.fetch(read, A.app_id)
    owner = await asyncpg.connect(database["owner"])
    await owner.execute("ALTER TABLE users ALTER updated_at TYPE timestamptz(3)")
    await owner.close()
    with pytest.raises(Unavailable):
        async with shared.transaction(A) as one:
            await one.fetch(read, A.app_id)

    async with shared.transaction(A) as one, shared.transaction(A) as two:
        assert await one.fetch(read, A.app_id) == await two.fetch(read, A.app_id)
    await shared.close()


async def test_sessions_that_the_server_ended_are_replaced(
    database: dict[str, str], db: Database
) -> None:
    """An operator ended the session while it was idle, or in use."""
    owner = await asyncpg.connect(database["owner"])

    async def end(session: int) -> None:
        await owner.execute("SELECT pg_terminate_backend($1)", session)
        await asyncio.sleep(0.1)

    await end(await pid(db))
    assert await seen(db, A, A.app_id) == 1
    with pytest.raises(Unavailable):
        await _ended_in_the_middle(db, end)
    assert await seen(db, A, A.app_id) == 1
    assert db.connections() == (0, 1, 1, 0)
    await owner.close()


async def _ended_in_the_middle(db: Database, end: Any) -> None:
    async with db.transaction(A) as tx:
        await end(await tx.fetchval(PID))
        await tx.fetchval("SELECT 1")


async def _add_binding(dsn: str) -> None:
    """Adds to a database without our schema what binds a transaction, so that a killed server has it, too."""
    db = await asyncpg.connect(dsn)
    await db.execute("SET synchronous_commit = on")
    await db.execute("""
        CREATE FUNCTION bind_application(app_id text) RETURNS text LANGUAGE sql
        AS $$ SELECT set_config('aero2.app_id', $1, true) $$
    """)
    await db.close()


async def test_it_recovers_from_the_death_of_the_server() -> None:
    """Each request fails cleanly while the server is away, and works when it is back."""
    server = await asyncio.to_thread(Postgres.start, template=False)
    try:
        await _add_binding(server.dsn())
        dead = await Database.connect(server.dsn(), name="test", size=3)
        await asyncio.gather(*(ask(dead, PID) for _ in range(6)))
        running = [asyncio.create_task(_sleep(dead)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(server.kill)
        failed = await asyncio.gather(*running, return_exceptions=True)
        assert {type(error) for error in failed} == {Unavailable}
        for _ in range(3):
            with pytest.raises(Unavailable):
                await ask(dead, PID)
        await asyncio.to_thread(server.restart)
        await asyncio.gather(*(ask(dead, PID) for _ in range(6)))
        assert dead.connections().used == 0
        await dead.close()
    finally:
        await asyncio.to_thread(server.stop)


async def _sleep(db: Database) -> None:
    async with db.unbound_transaction() as tx:
        await tx.fetchval("SELECT pg_sleep(30)")


async def test_closing_waits_for_a_statement_and_then_gives_up(
    database: dict[str, str], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends in time is finished. One that does not end is cut off."""
    monkeypatch.setattr(common_db, "CLOSE", 0.3)
    quick = asyncio.create_task(_slow(db, 0.05))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(db.close())
    assert await quick == 1
    await closing

    other = await Database.connect(database["identity"], name="test", size=1)
    slow = asyncio.create_task(_slow(other, 30.0))
    await asyncio.sleep(0.05)
    await other.close()
    with pytest.raises(Unavailable):
        await slow


async def _slow(db: Database, seconds: float) -> Any:
    async with db.transaction(A) as tx:
        return await tx.fetchval("SELECT 1 FROM pg_sleep($1)", seconds)
