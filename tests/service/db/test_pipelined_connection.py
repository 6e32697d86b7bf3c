"""A statement is bound to its application in one round trip, and nothing after it is."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from tests.service.db.tls import in_front_of

from common.context import Context
from common.db import Database, maybe, run, value
from common.pipelined_connection import PipelinedConnection, PreambleReplyFilter
from common.problems import Unavailable

A = Context("018f0000-0000-7000-8000-00000000000a")
B = Context("018f0000-0000-7000-8000-00000000000b")
BOUND = "SELECT current_setting('aero2.app_id', true)"
SEEN = "SELECT count(*) FROM users WHERE app_id = $1"
ADD = "INSERT INTO users (app_id, id, email, email_normalized) VALUES ($1, $2, $3, $3)"


async def create_applications(dsn: str) -> None:
    """Creates two applications with a user each."""
    owner = await asyncpg.connect(dsn)
    for ctx, slug in ((A, "swift-maple"), (B, "brave-falcon")):
        await owner.execute(
            "INSERT INTO applications (id, slug, name) VALUES ($1, $2, 'x')", ctx.app_id, slug
        )
        await owner.execute(ADD, ctx.app_id, str(uuid.uuid4()), f"{slug}@example.com")
    await owner.close()


@pytest.fixture
def db_dsns(database: dict[str, str]) -> dict[str, str]:
    asyncio.run(create_applications(database["owner"]))
    return database


@pytest.fixture
async def db(database: dict[str, str]) -> AsyncIterator[Database]:
    """One connection, so that a binding left by one statement would reach the next."""
    await create_applications(database["owner"])
    made = await Database.connect(database["identity"], name="test", size=1)
    yield made
    await made.close()


async def seen(db: Database, ctx: Context, app_id: str) -> Any:
    async with db.reader(ctx) as one:
        return await value(one, SEEN, app_id)


async def unbound(db: Database) -> Any:
    """Returns what a statement without a binding sees."""
    async with db.unbound_transaction() as tx:
        return await tx.fetchval(BOUND) or ""  # NULL on a new connection


async def test_a_statement_sees_the_application_it_is_bound_to_and_no_other(db: Database) -> None:
    """Row level security decides, whatever app_id the statement names."""
    for _ in range(3):
        assert await seen(db, A, A.app_id) == 1
        assert await seen(db, A, B.app_id) == 0
        assert await seen(db, B, B.app_id) == 1
        assert await unbound(db) == ""


async def test_each_statement_is_one_transaction_in_one_round_trip(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says once that it is ready. Begin, statement and commit would be three times."""
    await seen(db, A, A.app_id)  # prepares it
    answers: list[bytes] = []
    received = PreambleReplyFilter.data_received

    def listen(replies: PreambleReplyFilter, data: bytes) -> None:
        answers.append(data)
        received(replies, data)

    monkeypatch.setattr(PreambleReplyFilter, "data_received", listen)
    assert await seen(db, A, A.app_id) == 1

    assert b"".join(answers).count(b"Z\x00\x00\x00\x05I") == 1


async def test_a_write_is_committed_when_it_returns(db: Database, database: dict[str, str]) -> None:
    """Another connection sees the write at once, and the relay wakes up."""
    woken = []
    waking = Database(db.pool, on_commit=lambda: woken.append(1))
    async with waking.autocommit(A) as one:
        assert await run(one, ADD, A.app_id, str(uuid.uuid4()), "new@example.com") == 1
    owner = await asyncpg.connect(database["owner"])
    assert await owner.fetchval(SEEN, A.app_id) == 2
    await owner.close()

    assert woken == [1]


async def test_a_write_into_another_application_is_refused(db: Database) -> None:
    """The policy refuses the write, and nothing of it is stored."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.autocommit(A) as one:
            await run(one, ADD, B.app_id, str(uuid.uuid4()), "intruder@example.com")

    assert await seen(db, B, B.app_id) == 1
    assert await unbound(db) == ""


async def test_what_cannot_be_sent_leaves_no_binding_behind(db: Database) -> None:
    """asyncpg refuses the argument after the binding was written, so the connection is closed."""
    assert await seen(db, A, A.app_id) == 1
    for _ in range(2):
        with pytest.raises((asyncpg.DataError, Unavailable)):
            async with db.reader(A) as one:
                await maybe(
                    one, dict, "SELECT id FROM users WHERE app_id = $1 LIMIT $2", A.app_id, "x"
                )
        assert await unbound(db) == ""
        assert await seen(db, B, B.app_id) == 1


async def test_a_cancelled_statement_leaves_no_binding_behind(db: Database) -> None:
    """After a cancelled statement the next one on the connection is bound again."""
    async with db.reader(A) as one:
        await value(one, "SELECT pg_sleep($1::float8)", 0.0)
    for patience in (0.0, 0.001, 0.05):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(patience), db.reader(A) as one:
                await value(one, "SELECT pg_sleep($1::float8)", 5.0)
        assert await seen(db, B, B.app_id) == 1
        assert await seen(db, B, A.app_id) == 0
        assert await unbound(db) == ""


async def test_a_table_that_changed_is_met_by_preparing_again(
    db: Database, database: dict[str, str]
) -> None:
    """A migration changed a column while services run. The statement is prepared again."""
    whole = "SELECT * FROM mail_templates WHERE app_id = $1"
    async with db.reader(A) as one:
        assert await one.fetch(whole, A.app_id) == []
    owner = await asyncpg.connect(database["owner"])
    await owner.execute("ALTER TABLE mail_templates ADD COLUMN note text")
    await owner.execute(
        "INSERT INTO mail_templates (app_id, kind, locale, subject, text_body, html_body, note)"
        " VALUES ($1, 'welcome', 'en', 's', 't', 'h', 'n')",
        A.app_id,
    )
    await owner.close()

    async with db.reader(A) as one:
        assert [row["note"] for row in await one.fetch(whole, A.app_id)] == ["n"]


async def test_many_at_once_each_see_their_own(database: dict[str, str], db: Database) -> None:
    """Two applications share three connections, with errors among the statements."""
    shared = await Database.connect(database["identity"], name="test", size=3)

    async def ask(number: int) -> None:
        mine, other = (A, B) if number % 2 else (B, A)
        if number % 7 == 0:
            with pytest.raises(asyncpg.PostgresError):
                async with shared.reader(mine) as one:
                    await value(
                        one,
                        "SELECT 1 / (count(*) - count(*)) FROM users WHERE app_id = $1",
                        mine.app_id,
                    )
        assert await seen(shared, mine, mine.app_id) == 1
        assert await seen(shared, mine, other.app_id) == 0

    await asyncio.gather(*(ask(number) for number in range(200)))
    await shared.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_over_tls(db_dsns: dict[str, str], tmp_path: Path, loop: str) -> None:
    """A TLS connection has another transport, and uvloop, which the services use, has its own."""

    async def ask() -> None:
        async with in_front_of(db_dsns["identity"], tmp_path) as dsn:
            secured = await Database.connect(dsn, name="test", size=2)
            found = await asyncio.gather(*(seen(secured, A, A.app_id) for _ in range(20)))
            async with secured.reader(A) as one:
                rows = await one.fetch("SELECT repeat('x', 5000) FROM generate_series(1, 500)")
            assert (found, len(rows)) == ([1] * 20, 500)
            assert await seen(secured, A, B.app_id) == 0
            assert not await unbound(secured)
            await secured.close()

    (asyncio if loop == "asyncio" else uvloop).run(ask())


def frame(kind: bytes, content: bytes) -> bytes:
    return kind + (4 + len(content)).to_bytes(4, "big") + content


ROW = frame(b"D", b"\x00\x01" + (36).to_bytes(4, "big") + A.app_id.encode())
BINDING = frame(b"2", b"") + ROW + frame(b"C", b"SELECT 1\x00")
BEGUN = frame(b"2", b"") + frame(b"C", b"BEGIN\x00")
INSERTED = frame(b"2", b"") + frame(b"C", b"INSERT 0 1\x00")
ANSWER = (
    frame(b"2", b"") + frame(b"D", b"\x00\x00") + frame(b"C", b"SELECT 1\x00") + frame(b"Z", b"I")
)
NOTICE = frame(b"N", b"SNOTICE\x00\x00")
ERROR = frame(b"E", b"SERROR\x00C22012\x00\x00") + frame(b"Z", b"I")


class Heard(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        assert data
        self.data += data


@given(
    st.sampled_from(
        [
            (1, BINDING + ANSWER, ANSWER),
            (1, NOTICE + BINDING + ANSWER, NOTICE + ANSWER),
            (
                1,
                frame(b"2", b"") + NOTICE + ROW + NOTICE + frame(b"C", b"SELECT 1\x00") + ERROR,
                NOTICE * 2 + ERROR,
            ),
            (1, ERROR, ERROR),
            (1, frame(b"2", b"") + ERROR, ERROR),
            (3, BEGUN + BINDING + NOTICE + INSERTED + ANSWER, NOTICE + ANSWER),
            (3, BEGUN + BINDING + frame(b"2", b"") + ERROR, ERROR),
            (3, BEGUN + ERROR, ERROR),
        ]
    ),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_the_filter_removes_the_replies_to_a_preamble_wherever_they_are_cut(
    case: tuple[int, bytes, bytes], cuts: list[int]
) -> None:
    """They may be split anywhere, contain notices, or be an error."""
    pending, sent, expected = case
    heard = Heard()
    replies = PreambleReplyFilter(heard)
    replies.pending = pending
    edges = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    for start, end in itertools.pairwise(edges):
        if end > start:
            replies.data_received(sent[start:end])

    assert heard.data == expected
    assert replies.pending == 0
    replies.data_received(ANSWER)
    assert heard.data == expected + ANSWER


async def test_a_connection_cut_off_in_its_first_exchange_is_closed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has prepared the binding, but the client does not know it. Preparing again would
    always fail, so the connection is closed."""

    async def cut(self: PipelinedConnection, sql: str, *args: Any, **options: Any) -> str:
        await asyncpg.Connection.execute(self, sql, *args, **options)
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(PipelinedConnection, "execute", cut)
        with pytest.raises(asyncio.CancelledError):
            await seen(db, A, A.app_id)

    assert await seen(db, A, A.app_id) == 1


async def cancelled_at(number: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Cancels the work at its await with this number. Returns whether it had so many."""
    awaits = 0

    class Counted:
        def __await__(self) -> Generator[Any, Any, Any]:
            nonlocal awaits
            inner = work.__await__()
            step = partial(inner.send, None)
            while True:
                try:
                    waiting = step()
                except StopIteration as end:
                    return end.value
                awaits += 1
                if awaits == number:
                    asyncio.get_running_loop().call_soon(task.cancel)
                step = partial(inner.send, None)
                try:
                    yield waiting
                except asyncio.CancelledError as cut:
                    step = partial(inner.throw, cut)

    async def run_counted() -> None:
        await Counted()

    task = asyncio.create_task(run_counted())
    await asyncio.wait({task})
    assert task.cancelled() or awaits < number or task.exception() is None
    return awaits >= number


@pytest.mark.parametrize("fresh", [True, False], ids=["connecting", "connected"])
async def test_a_statement_cut_off_anywhere_leaves_a_good_connection(
    db: Database, fresh: bool
) -> None:
    """The work is cancelled at each await of connecting, preparing and running. The next statements
    see their own application."""
    texts = itertools.count()
    reached = True
    number = 0
    while reached:
        number += 1
        if fresh:
            db.pool.drop_idle()
        reached = await cancelled_at(number, prepared(db, next(texts)))
        for _ in range(2):
            assert await seen(db, B, B.app_id) == 1
            assert await seen(db, A, B.app_id) == 0
            assert await unbound(db) == ""
    assert number > 2


async def prepared(db: Database, text: int) -> Any:
    """A statement that the connection has not prepared yet."""
    async with db.reader(A) as one:
        return await one.fetchval(f"SELECT {text}::int")


async def test_a_statement_after_a_cancelled_one_is_refused(db: Database) -> None:
    """The connection is closed, so nothing is bound or sent. The next caller gets another one."""
    for _ in range(3):
        with pytest.raises(Unavailable):
            await cancelled_and_used_again(db)
        assert await seen(db, A, A.app_id) == 1
        assert await seen(db, B, A.app_id) == 0
        assert await unbound(db) == ""


async def cancelled_and_used_again(db: Database) -> None:
    async with db.reader(A) as one:
        assert await value(one, SEEN, A.app_id) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await value(one, "SELECT pg_sleep($1::float8)", 5.0)
        await value(one, SEEN, A.app_id)
