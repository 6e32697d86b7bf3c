"""Errors inside a transaction: of the database, of other code, and of a changed table."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tests.bus.probe import Write

from common.answering import answer
from common.context import Context
from common.db import Database
from common.ids import DASHBOARD
from common.problems import Outdated, Unavailable
from common.testing import context

CTX: Context = context(DASHBOARD)
READ = "SELECT event_type FROM audit_outbox"
ADD = (
    "INSERT INTO audit_outbox (app_id, event_id, event_type, payload) "
    f"VALUES ('{DASHBOARD}', gen_random_uuid(), 'login', '')"
)


@pytest.fixture
async def db(database: dict[str, str]) -> AsyncIterator[Database]:
    made = await Database.connect(database["tenancy"], name="test", size=1)
    yield made
    await made.close()


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), FileNotFoundError()])
async def test_a_fault_of_another_is_not_told_as_the_databases(
    db: Database, error: OSError
) -> None:
    with pytest.raises(type(error)):
        async with db.transaction(CTX):
            raise error


async def add_on_a_standby(db: Database) -> None:
    async with db.transaction(CTX) as tx:
        await tx.execute("SET TRANSACTION READ ONLY")
        await tx.execute(ADD)


async def test_a_standby_is_unavailable_and_its_connection_closed(db: Database) -> None:
    """After a failover the old primary is read-only, so the connection is closed. The next one may
    find the new primary."""
    async with db.transaction(CTX) as tx:
        before = await tx.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(Unavailable):
        await add_on_a_standby(db)

    async with db.transaction(CTX) as tx:
        assert await tx.fetchval("SELECT pg_backend_pid()") != before


async def test_a_standby_ends_every_connection_of_the_pool(database: dict[str, str]) -> None:
    """One address leads to the new primary after a switchover (a VIP, or one host in the DSN). So one
    refused write closes all connections: the idle ones now, the lent ones at their return."""
    pool = await Database.connect(database["tenancy"], name="test", size=3)
    pid = "SELECT pg_backend_pid()"
    async with pool.transaction(CTX) as one, pool.transaction(CTX) as two:
        before = {await one.fetchval(pid), await two.fetchval(pid)}
    async with pool.transaction(CTX) as lent:
        before.add(await lent.fetchval(pid))
        with pytest.raises(Unavailable):
            await add_on_a_standby(pool)
        assert await lent.fetchval("SELECT 1") == 1, "it may finish what it has begun"
    async with pool.transaction(CTX) as one, pool.transaction(CTX) as two:
        after = {await one.fetchval(pid), await two.fetchval(pid)}
    await pool.close()

    assert not before & after


async def test_a_health_check_on_a_standby_ends_its_connections(db: Database) -> None:
    """A service that only reads would never notice, and would read what is old."""
    async with db.transaction(CTX) as tx:
        before = await tx.fetchval("SELECT pg_backend_pid()")
    connection = db.pool.connections()[0]
    await connection.execute("SET default_transaction_read_only = on")

    assert not await db.takes_writes()
    async with db.transaction(CTX) as tx:
        assert await tx.fetchval("SELECT pg_backend_pid()") != before
    assert await db.takes_writes()


async def changed(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    await owner.execute("ALTER TABLE users ALTER updated_at TYPE timestamptz(3)")
    await owner.close()


@pytest.mark.parametrize("before", [False, True])
async def test_a_changed_table_runs_the_handler_once_more(
    database: dict[str, str], before: bool
) -> None:
    """The handler runs again after a rollback, but not after a commit."""
    read = "SELECT updated_at FROM users"
    identity = await Database.connect(database["identity"], name="test", size=1)
    async with identity.transaction(CTX) as tx:
        await tx.fetch(read)
    await changed(database["owner"])
    ran = 0

    async def write(deps: Any, ctx: Context, request: Any) -> Any:
        nonlocal ran
        ran += 1
        if before:
            async with identity.transaction(ctx):
                pass
        async with identity.transaction(ctx) as tx:
            await tx.fetch(read)
        return Write.reply

    ctx = replace(CTX, deadline=time.monotonic() + 10)
    try:
        if before:
            with pytest.raises(Outdated):
                await answer(write, None, Write, ctx, data=b"{}", subject=Write.subject)
        else:
            await answer(write, None, Write, ctx, data=b"{}", subject=Write.subject)
    finally:
        await identity.close()

    assert ran == (1 if before else 2)
