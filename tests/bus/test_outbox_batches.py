"""Events go to the stream in batches of one application. A batch never changes, whichever process
dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.kit.nats_server import until
from tests.kit.outbox_post import Post
from tests.kit.round_trips import recorded_round_trips

from common import audit, outbox, outbox_batches
from common.ids import DASHBOARD, new_id
from common.outbox import LEASE
from common.outbox_batches import APPLICATIONS, LINES
from common.testing import context

A = "01900000-0000-7000-8000-00000000000a"
B = "01900000-0000-7000-8000-00000000000b"


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Records the statements of relays."""
    with recorded_round_trips() as made:
        yield made


def first_words(statements: list[str]) -> Counter[str]:
    """Counts statements by their first word after the comment."""
    counts: Counter[str] = Counter()
    for sql in statements:
        lines = [line.strip() for line in sql.split("\n")]
        counts[next(line for line in lines if line and not line.startswith("--")).split()[0]] += 1
    return counts


async def lines_of_messages(post: Post) -> list[int]:
    return [(message.data or b"").count(b"\n") + 1 for message in await post.messages()]


async def applications_of_messages(post: Post) -> list[set[str]]:
    """Returns the applications of each message, by its lines. Each message has the subject of its
    application."""
    found = []
    for message in await post.messages():
        events = map(orjson.loads, (message.data or b"").split(b"\n"))
        found.append({event["app_id"] for event in events})
        assert message.subject == f"audit.tenancy.{min(found[-1])}.batch"
    return found


async def test_fifty_events_are_one_message(post: Post, statements: list[str]) -> None:
    """120 events of an application are three messages, and each batch costs two statements."""
    names = [str(n) for n in range(120)]
    await post.record(*names)
    statements.clear()
    relay = post.new_relay()
    rounds = [await relay._round() for _ in range(3)]

    assert [(each.sent, each.more) for each in rounds] == [(50, True), (50, True), (20, False)]
    assert first_words(statements) == {"WITH": 3, "DELETE": 3}
    assert await lines_of_messages(post) == [50, 50, 20]
    assert await post.streamed() == names


async def test_a_batch_has_one_application(post: Post) -> None:
    """Events of three applications, in turn, are three messages. No message has two applications."""
    for n in range(30):
        await post.record(str(n), app_id=(A, B, DASHBOARD)[n % 3])
    done = await post.new_relay()._round()

    assert done == outbox.Round(30, more=False)
    assert sorted(map(tuple, await applications_of_messages(post))) == [(DASHBOARD,), (A,), (B,)]
    assert await post.streamed(A) == [str(n) for n in range(0, 30, 3)]


async def test_one_application_does_not_delay_another(post: Post) -> None:
    """One event next to 10,000 of another application is in the first round. The 10,000 are 200
    messages, in their order."""
    async with post.tenancy.transaction(context(A)) as tx:
        await tx.execute(
            """
            INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
            SELECT $1, gen_random_uuid(), 'logout', convert_to(jsonb_build_object(
                'app_id', $1::uuid, 'event_data', jsonb_build_object('session_id', n::text))::text, 'UTF8')
            FROM generate_series(1, 10000) n ORDER BY n
            """,
            A,
        )
    await post.record("mine", app_id=B)
    relay = post.new_relay()
    first = await relay._round()
    of_b = await post.streamed(B)
    while (await relay._round()).more:
        pass

    assert first == outbox.Round(LINES + 1, more=True)
    assert of_b == ["mine"]
    assert await post.streamed(A) == [str(n) for n in range(1, 10_001)]
    assert Counter(await lines_of_messages(post)) == {LINES: 200, 1: 1}


async def test_more_applications_than_a_round_has(post: Post, statements: list[str]) -> None:
    """Each application has its turn, also the one with the lowest id. A round takes a bounded number
    of them."""
    ids = [DASHBOARD, *(new_id() for _ in range(2 * APPLICATIONS + 4))]
    for id in ids:
        await post.record("x", app_id=id)
    statements.clear()
    relay = post.new_relay()
    sent = []
    while (done := await relay._round()).more:
        sent.append(done.sent)
    sent.append(done.sent)

    assert sum(sent) == len(ids)
    assert max(sent) == APPLICATIONS
    assert first_words(statements)["WITH"] <= 4
    assert sorted(await applications_of_messages(post), key=min) == [{id} for id in sorted(ids)]


async def test_bytes_bound_a_batch(post: Post) -> None:
    """A batch is at most 256 KiB. A larger event goes alone. The order stays."""
    sizes = [100_000, 100_000, 100_000, 300_000, 10, 10, 500_000]
    payloads = [orjson.dumps({"n": n, "x": "x" * size}) for n, size in enumerate(sizes)]
    await post.queue(*payloads)
    relay = post.new_relay()
    while (await relay._round()).more:
        pass
    messages = [message.data or b"" for message in await post.messages()]

    assert [body.count(b"\n") + 1 for body in messages] == [2, 1, 1, 2, 1]
    assert b"\n".join(messages).split(b"\n") == payloads


@pytest.mark.fault("F20")
async def test_an_event_too_large_for_the_server_holds_up_nobody(post: Post) -> None:
    """An event that is too large for a message, and one with a line break, stay in the log and are not
    sent. The others of their application are."""
    huge = orjson.dumps("x" * (post.nc.max_payload + 1))
    await post.record("before")
    await post.queue(huge, b'{\n"two": "lines"}')
    await post.record("after")
    async with post.relay():
        await until(post.none_waiting)

    assert await post.streamed() == ["before", "after"]


async def test_a_stream_that_takes_small_messages_only(post: Post) -> None:
    """If an operator limits the size of messages, a batch goes event by event, each under its own id.
    An event that is larger than the limit is given up, and holds up no other."""
    config = (await post.js.stream_info(audit.STREAM)).config
    config.max_msg_size = 2000
    await post.js.update_stream(config)
    await post.record(*"abcdefgh")
    await post.queue(orjson.dumps("x" * 3000))
    await post.record("last")
    await post.record("other", app_id=B)
    async with post.relay():
        await until(post.none_waiting)

    assert await post.streamed(DASHBOARD) == [*"abcdefgh", "last"]
    assert await post.streamed(B) == ["other"]


async def test_a_batch_that_the_server_takes_no_longer(post: Post) -> None:
    """If the server's limit is lowered after a batch was made, its events go one by one."""
    await post.record(*"abc")
    relay = post.new_relay()
    await relay._take()
    post.nc._max_payload = 2000
    await relay._round()

    assert await lines_of_messages(post) == [1, 1, 1]
    assert await post.streamed() == [*"abc"]


async def test_a_refused_application_does_not_hold_up_others(post: Post) -> None:
    """The stream refuses one subject. The batches of other applications are sent in the same round, and
    the refused one waits with its id."""
    config = (await post.js.stream_info(audit.STREAM)).config
    config.max_msgs_per_subject, config.discard_new_per_subject = 1, True
    await post.js.update_stream(config)
    relay = post.new_relay()
    await post.record("first", app_id=A)
    await relay._round()
    await post.record("refused", app_id=A)
    await post.record("other", app_id=B)
    done = await relay._round()
    (kept,) = await post.batch_ids()
    config.max_msgs_per_subject, config.discard_new_per_subject = -1, False
    await post.js.update_stream(config)
    await relay._round()

    assert done.sent == 1
    assert await post.streamed() == ["first", "other", "refused"]
    assert ((await post.messages())[-1].headers or {})["Nats-Msg-Id"] == kept


@pytest.mark.fault("F6")
async def test_killed_between_commit_and_batch(post: Post) -> None:
    """If a process dies right after its commit, the next relay publishes the event."""
    await asyncio.to_thread(post.die, "committed")
    assert await post.batch_ids() == [None]
    async with post.relay():
        await until(post.none_waiting)

    assert await post.streamed() == ["committed"]


@pytest.mark.fault("F6", "F19")
@pytest.mark.parametrize(("where", "published"), [("batched", 0), ("half", 1), ("published", 2)])
async def test_killed_after_the_batch_was_made(post: Post, where: str, published: int) -> None:
    """The successor publishes the same batches under the same ids, and events that came meanwhile in
    others. The stream has each event once, and each batch once."""
    await post.record("a1", "a2", app_id=A)
    await post.record("b1", app_id=B)
    await asyncio.to_thread(post.die, where)
    batches = dict.fromkeys(await post.batch_ids())
    assert len(await post.messages()) == published
    assert len(batches) == 2
    assert None not in batches
    await post.record("a3", app_id=A)
    async with post.relay():
        await until(post.none_waiting)

    messages = await post.messages()
    ids = [(message.headers or {})["Nats-Msg-Id"] for message in messages]
    assert set(batches) < set(ids)
    assert len(ids) == len(set(ids)) == 3
    assert await post.streamed(A) == ["a1", "a2", "a3"]
    assert await post.streamed(B) == ["b1"]


@pytest.mark.long
@pytest.mark.fault("F6", "F19")
async def test_killed_twenty_times(post: Post) -> None:
    """Twenty relays in a row die: before they publish, halfway, and before they delete what is published. Events
    come between their deaths. Afterwards the stream has each event once, in its order, and each batch once."""
    names: dict[str, list[str]] = {A: [], B: []}
    for n in range(20):
        for app_id, written in names.items():
            written.append(f"{n} of {app_id}")
            await post.record(written[-1], app_id=app_id)
        await asyncio.to_thread(post.die, ("batched", "half", "published")[n % 3])
    async with post.relay():
        await until(post.none_waiting)

    assert {app_id: await post.streamed(app_id) for app_id in names} == names
    ids = [(message.headers or {})["Nats-Msg-Id"] for message in await post.messages()]
    assert len(ids) == len(set(ids))


async def test_a_batch_under_way_is_left_to_its_relay(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another relay sends a batch, the application waits, so its events keep their order. Others
    are sent. Once the lease is over, the batch is taken as it is."""
    busy, relay = post.new_relay(), post.new_relay()
    await relay._round()  # the first one takes everything
    await post.record("one", "two", app_id=A)
    (batch,) = await busy._take()
    await post.record("three", app_id=A)
    await post.record("other", app_id=B)
    meanwhile = [(await relay._round()).sent, (await relay._round()).sent]
    streamed = await post.streamed()
    async with post.relay_db.unbound_transaction() as db:
        await db.execute(
            "UPDATE audit_outbox SET batched_at = batched_at - make_interval(secs => $1)", LEASE
        )
    later = [(await relay._round()).sent, (await relay._round()).sent]

    assert (meanwhile, streamed) == ([1, 0], ["other"])
    assert later == [2, 1]
    assert await post.streamed(A) == ["one", "two", "three"]
    assert ((await post.messages())[1].headers or {})["Nats-Msg-Id"] == batch.id


@pytest.mark.fault("F6", "F19")
async def test_two_relays_send_everything_once(post: Post) -> None:
    """Two relays share the rows, also while others are written. Every event is on the stream once, and
    no batch has two applications."""
    applications = [A, B, DASHBOARD]

    async def write(app_id: str) -> None:
        for begin in range(0, 300, 10):
            await post.record(*map(str, range(begin, begin + 10)), app_id=app_id)

    async with post.relay() as one, post.relay() as two:

        def wake() -> None:
            one.wake()
            two.wake()

        post.tenancy = replace(post.tenancy, on_commit=wake)
        await asyncio.gather(*(write(app_id) for app_id in applications))
        await until(post.none_waiting)

    for app_id in applications:
        assert sorted(await post.streamed(app_id), key=int) == [str(n) for n in range(300)]
    assert all(len(each) == 1 for each in await applications_of_messages(post))


async def test_two_relays_take_different_rows(post: Post) -> None:
    """Relays that take at the same moment never have the same row in two batches."""
    await post.record(*map(str, range(400)), app_id=A)
    relays = [post.new_relay() for _ in range(4)]
    taken = await asyncio.gather(*(relay._take() for relay in relays))
    rows = Counter(row.seq for batches in taken for batch in batches for row in batch.rows)
    by_batch = {batch.id: len(batch.rows) for batches in taken for batch in batches}

    assert set(by_batch.values()) == {LINES}
    assert len(rows) == LINES * len(by_batch)


async def test_a_locked_row_holds_up_nothing(post: Post) -> None:
    """A relay does not wait for rows that another one is taking. It sends the other applications."""
    await post.record("locked", app_id=A)
    await post.record("free", app_id=B)
    async with post.relay_db.unbound_transaction() as db:
        await db.execute("SELECT FROM audit_outbox WHERE app_id = $1 FOR UPDATE", A)
        done = await post.new_relay()._round()

    assert done.sent == 1
    assert await post.streamed() == ["free"]


async def test_the_database_is_lost_after_the_acknowledgement(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay remembers what the stream has. It deletes the rows later and publishes nothing again,
    however long the database was away."""
    await post.record("one")
    relay = post.new_relay()

    async def lost(*_: Any, **__: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "delete", lost)
        with pytest.raises(ConnectionError):
            await relay._round()
    assert await post.waiting() == 1
    published: list[Any] = []
    monkeypatch.setattr(relay.publisher, "_publish", published.append)
    done = await relay._round()

    assert (done.sent, published, await post.waiting()) == (0, [], 0)
    assert await post.streamed() == ["one"]


@pytest.mark.fault("F6", "F19")
async def test_a_relay_that_was_down_longer_than_the_window(post: Post) -> None:
    """The stream keeps the batch a second time, with the same events. Readers compare their ids."""
    config = (await post.js.stream_info(audit.STREAM)).config
    config.duplicate_window = 0.1
    await post.js.update_stream(config)
    await post.record("one", "two")
    await asyncio.to_thread(post.die, "published")
    await asyncio.sleep(0.5)
    async with post.relay():
        await until(post.none_waiting)
    first, second = await post.messages()

    assert first.data == second.data
    assert (first.headers or {})["Nats-Msg-Id"] == (second.headers or {})["Nats-Msg-Id"]


async def test_an_event_that_an_earlier_version_sent(post: Post) -> None:
    """A relay of an earlier version published an event under its id, and died before it deleted the row.
    The batch has an id of its own, so the stream does not drop the other events as duplicates."""
    await post.record("sent", "new")
    async with post.relay_db.unbound_transaction() as db:
        row = await db.fetchrow("SELECT event_id, payload FROM audit_outbox ORDER BY seq LIMIT 1")
    assert row is not None
    subject, headers = f"audit.tenancy.{DASHBOARD}.logout", {"Nats-Msg-Id": row["event_id"]}
    await post.js.publish(subject, row["payload"], headers=headers)
    async with post.relay():
        await until(post.none_waiting)

    assert await post.streamed() == ["sent", "sent", "new"]


async def test_commits_gather(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that are committed within the time to gather are one message."""
    monkeypatch.setattr(outbox, "GATHER", 0.5)
    async with post.relay() as relay:
        await until(lambda: relay._lease == LEASE)  # the first look is over
        for n in range(10):
            await post.record(str(n))
            relay.wake()
        await until(post.none_waiting)

    assert await lines_of_messages(post) == [10]


def test_the_largest_round_fits_into_memory() -> None:
    """A round has a bounded number of bytes, whatever the applications log."""
    assert APPLICATIONS * audit.LARGEST <= 8 * 1024 * 1024
    assert outbox_batches.LINES == 50
