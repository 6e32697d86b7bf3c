"""A transaction begins with its first statement, and its last sends what was deferred. Whatever fails, it is
committed as a whole or not at all."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest
from tests.kit.round_trips import recorded_round_trips
from tests.service.db.test_pipelined_connection import (
    ADD,
    SEEN,
    A,
    B,
    cancelled_at,
    create_applications,
    seen,
    unbound,
)

from common.db import Database, defer, rebind, run, value
from common.pipelined_messages import text_of
from common.problems import Busy, Unavailable

DIVISION = "SELECT 1 / count(*) FROM users WHERE app_id = $1 AND email = 'nobody'"
PAUSE = "SELECT pg_sleep($1)"


@pytest.fixture
async def db(database: dict[str, str]) -> AsyncIterator[Database]:
    """One connection, so that what one transaction leaves open would reach the next."""
    await create_applications(database["owner"])
    made = await Database.connect(database["identity"], name="test", size=1)
    yield made
    await made.close()


async def add(tx: Any, app_id: str = A.app_id, id: str | None = None) -> None:
    """Defers the insertion of a user."""
    id = id or str(uuid.uuid4())
    await defer(tx, ADD, app_id, id, f"{id}@example.com")


Step = Callable[[Any], Awaitable[object]]


async def transact(db: Database, *steps: Step) -> None:
    """Executes the steps in one transaction of A."""
    async with db.transaction(A) as tx:
        for step in steps:
            await step(tx)


async def divide(tx: Any) -> None:
    """Defers a statement that fails."""
    await defer(tx, DIVISION, A.app_id)


async def look(tx: Any) -> Any:
    """Executes a statement that is waited for."""
    return await value(tx, SEEN, A.app_id)


async def look_alone(db: Database) -> None:
    """Prepares the statement of `look`."""
    async with db.reader(A) as one:
        await look(one)


async def fail(tx: Any) -> None:
    """Executes a statement that fails, and goes on."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await look(tx)


async def limit(tx: Any) -> None:
    """Limits each statement of the transaction to 50 ms."""
    await tx.execute("SET LOCAL statement_timeout = 50")


async def sleep(tx: Any) -> None:
    """Defers a statement that takes long."""
    await defer(tx, PAUSE, 5.0)


async def disconnect(tx: Any) -> None:
    """Defers the end of the connection."""
    await defer(tx, "SELECT pg_terminate_backend(pg_backend_pid())")


async def give_up(tx: Any) -> None:
    """Fails without a statement."""
    raise ZeroDivisionError


async def is_clean(db: Database) -> bool:
    """Returns whether the next users of the connection see what they should."""
    return (await unbound(db), await seen(db, B, B.app_id), await seen(db, A, B.app_id)) == (
        "",
        1,
        0,
    )


async def test_a_transaction_with_one_statement_takes_two_round_trips(db: Database) -> None:
    """BEGIN and the binding go with the statement. What is deferred goes with COMMIT."""
    await seen(db, A, A.app_id)
    with recorded_round_trips() as made:
        async with db.transaction(A) as tx:
            assert await value(tx, SEEN, A.app_id) == 1
            assert await value(tx, SEEN, B.app_id) == 0
            await add(tx)
            await add(tx)
    assert made == [SEEN, SEEN, "COMMIT"]
    assert await seen(db, A, A.app_id) == 3


async def test_deferred_statements_alone_take_one_round_trip(db: Database) -> None:
    """BEGIN, the binding, the statements and COMMIT are sent together."""
    with recorded_round_trips() as made:
        async with db.transaction(A) as tx:
            await add(tx)
    assert made == ["COMMIT"]
    assert await seen(db, A, A.app_id) == 2
    assert await is_clean(db)


async def test_a_transaction_without_statements_takes_none(db: Database) -> None:
    """Nothing begins, so nothing ends."""
    with recorded_round_trips() as made:
        async with db.transaction(A):
            pass
        with pytest.raises(ZeroDivisionError):
            async with db.transaction(A):
                raise ZeroDivisionError
    assert made == []


async def test_the_next_statement_sees_what_was_deferred(db: Database) -> None:
    """Statements are executed in the order of the calls, whether deferred or not."""
    async with db.transaction(A) as tx:
        await add(tx)
        assert await value(tx, SEEN, A.app_id) == 2
        await add(tx)
        assert len(await tx.fetch("SELECT id FROM users WHERE app_id = $1", A.app_id)) == 3
        await add(tx)
        assert await run(tx, "DELETE FROM users WHERE app_id = $1", A.app_id) == 4
        await add(tx)
        await rebind(tx, B.app_id)
        await add(tx, B.app_id)
        assert await value(tx, SEEN, A.app_id) == 0
        assert await value(tx, SEEN, B.app_id) == 2
    assert await seen(db, A, A.app_id) == 1


async def test_an_error_of_the_caller_undoes_what_was_deferred(db: Database) -> None:
    """Sent or not yet sent."""
    with pytest.raises(ZeroDivisionError):
        await transact(db, add, look, add, give_up)
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


async def test_an_error_of_a_deferred_statement_undoes_everything(db: Database) -> None:
    """COMMIT raises it, and commits nothing. The statements after it are not executed."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await transact(db, add, divide, add)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await transact(db, look, divide)
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


async def test_an_error_of_a_deferred_statement_is_that_of_the_next(db: Database) -> None:
    """The next statement is not executed, and the transaction can only roll back."""
    await look_alone(db)
    with recorded_round_trips() as made:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await transact(db, add, divide, look, add)
    assert made == [SEEN, "ROLLBACK"]
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


async def test_a_caught_error_leaves_nothing_to_commit(db: Database) -> None:
    """The server refuses every statement after it, so what is deferred later fails with COMMIT."""
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await transact(db, add, divide, fail, add)
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


async def test_a_deferred_write_into_another_application_is_refused(db: Database) -> None:
    """Row level security holds for it as for every statement."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await transact(db, add, partial(add, app_id=B.app_id))
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


async def test_a_constraint_is_checked_when_it_is_sent(db: Database) -> None:
    """The second insertion of a key is refused with COMMIT, and the first is undone."""
    id = str(uuid.uuid4())
    with pytest.raises(asyncpg.UniqueViolationError):
        await transact(db, partial(add, id=id), partial(add, id=id))
    assert await seen(db, A, A.app_id) == 1


async def test_a_commit_that_takes_too_long_is_undone(db: Database) -> None:
    """The server cancels the deferred statement, and nothing is committed."""
    with pytest.raises(Busy):
        await transact(db, limit, add, sleep)
    assert await seen(db, A, A.app_id) == 1
    assert await is_clean(db)


@pytest.mark.parametrize("fresh", [True, False], ids=["connecting", "connected"])
async def test_a_transaction_cut_off_anywhere_is_whole_or_nothing(
    db: Database, fresh: bool
) -> None:
    """The work is cancelled at each of its awaits. Both deferred rows exist then, or none, and the
    connection is good."""

    async def work() -> None:
        async with db.transaction(A) as tx:
            await value(tx, SEEN, A.app_id)
            await add(tx)
            await value(tx, SEEN, A.app_id)
            await add(tx)

    before, reached, number = 1, True, 0
    while reached:
        number += 1
        if fresh:
            db.pool.drop_idle()
        reached = await cancelled_at(number, work())
        after = await seen(db, A, A.app_id)
        assert after - before in (0, 2)
        before = after
        assert await is_clean(db)
    assert number > 3


async def test_a_lost_connection_commits_nothing(db: Database) -> None:
    """Its end is an error of the transaction, and the next one gets another connection."""
    with pytest.raises(Unavailable):
        await transact(db, add, look, disconnect, add)
    assert await seen(db, A, A.app_id) == 1


async def test_many_at_once(db: Database, database: dict[str, str]) -> None:
    """Transactions and single statements of two applications share three connections."""
    shared = await Database.connect(database["identity"], name="test", size=3)

    async def work(number: int) -> None:
        mine, other = (A, B) if number % 2 else (B, A)
        async with shared.transaction(mine) as tx:
            await add(tx, mine.app_id)
            assert await value(tx, SEEN, other.app_id) == 0
            await add(tx, mine.app_id)
        assert await seen(shared, mine, other.app_id) == 0

    await asyncio.gather(*(work(number) for number in range(100)))
    assert await seen(shared, A, A.app_id) == await seen(shared, B, B.app_id) == 101
    await shared.close()


NASTY = [
    "",
    "a b",
    "ä\u2028😀",
    '"',
    "\\",
    '\\"',
    "{}",
    "a,b",
    "NULL",
    "null",
    "'",
    "\\x00",
    "\n",
    " ",
]
VALUES: list[tuple[str, Any]] = [
    *(("text", text) for text in NASTY),
    *(("text[]", array) for array in ([], NASTY, ["x"], [""])),
    *(("jsonb", {"key": text, text: [1, None, {"deep": text}]}) for text in NASTY),
    *(("bytea", data) for data in (b"", b"\x00\xff", b"\\x00", bytes(range(256)))),
    *(("int", number) for number in (0, -1, 2**31 - 1)),
    *(("float8", number) for number in (0.0, 1e-300, 1e300, -0.1, float("inf"))),
    *(("bool", truth) for truth in (True, False)),
    *(
        ("timestamptz", moment)
        for moment in (datetime(1, 1, 2, tzinfo=UTC), datetime(2026, 2, 28, 1, 2, 3, 456789, UTC))
    ),
]


async def test_values_arrive_as_they_were(db: Database) -> None:
    """As text, the server reads what it reads in asyncpg's encoding."""
    async with db.reader(A) as one:
        for kind, sent in VALUES:
            text = text_of(sent)
            assert text is not None
            same = f"SELECT $1::text::{kind} = $2::{kind}"
            assert await one.fetchval(same, text.decode(), sent), (kind, sent)
    assert text_of(None) is None


def test_what_has_no_text_is_refused_at_once() -> None:
    """Not when the transaction ends, where nobody knows which statement it was."""
    for wrong in (object(), ["a", 1], {"a"}, 1j):
        with pytest.raises(TypeError):
            text_of(wrong)
