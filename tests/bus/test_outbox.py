"""Every committed event arrives on the stream, exactly once."""

from __future__ import annotations

import asyncio
import signal

import pytest
from nats.js.api import StreamConfig
from tests.kit.nats_server import until
from tests.kit.outbox_post import Post

from common import audit, outbox, outbox_publisher
from common.events.base import AuditEvent
from common.events.sessions import Logout
from common.ids import DASHBOARD, is_id
from common.nats_private import pending_replies
from common.testing import context


async def test_a_committed_event_arrives_whole(post: Post) -> None:
    """The event on the stream equals the record in the log: the same id, type, data and time."""
    async with post.relay() as relay:
        await post.record("one")
        relay.wake()
        await until(post.none_waiting)
    msg = await post.js.get_msg(audit.STREAM, 1)
    async with post.tenancy.reader(context(DASHBOARD)) as db:
        row = await db.fetchrow("SELECT id, event_type, event_data, created_at FROM audit_logs")
    assert row is not None
    assert msg.data is not None
    event = AuditEvent.model_validate_json(msg.data)

    assert msg.subject == f"audit.tenancy.{DASHBOARD}.batch"
    assert msg.headers is not None
    assert is_id(msg.headers["Nats-Msg-Id"])
    assert row["id"] == event.id
    assert event.event_data == row["event_data"] == {"session_id": "one"}
    assert event.created_at == row["created_at"]


async def test_an_event_of_a_rolled_back_transaction_never_was(post: Post) -> None:
    """A rollback removes the record and the outbox row too."""
    ctx = context(DASHBOARD)
    with pytest.raises(LookupError):  # noqa: PT012 - the block is the transaction
        async with post.tenancy.transaction(ctx) as tx:
            await audit.record(tx, ctx, Logout(session_id="never"))
            raise LookupError
    async with post.relay() as relay:
        await post.record("kept")
        relay.wake()
        await until(post.streamed)

    assert await post.streamed() == ["kept"]


async def test_rows_wait_while_nats_is_down(post: Post) -> None:
    """Work goes on without the stream. Its events are sent when the stream is back."""
    async with post.relay() as relay:
        post.server.stop()
        await until(lambda: not post.nc.is_connected)
        for n in range(3):
            await post.record(str(n))
            relay.wake()
        await asyncio.sleep(0.3)
        assert await post.waiting() == 3
        post.server.launch()
        await until(post.none_waiting)

    assert await post.streamed() == ["0", "1", "2"]


async def test_a_long_outage_does_not_wear_the_relay_out(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed attempts to publish keep nothing in nats.py, and ask the database nothing while the
    connection is lost."""
    relay = post.new_relay()
    await post.record("one")
    post.server.stop()
    await until(lambda: not post.nc.is_connected)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "take", None)
        for _ in range(50):
            with pytest.raises(outbox.StreamAway):
                await relay._round()
    assert pending_replies(post.nc) == []
    post.server.launch()
    await until(lambda: post.nc.is_connected)

    assert (await relay._round()).sent == 1
    assert await post.streamed() == ["one"]


async def test_a_stream_that_does_not_answer(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication that times out keeps nothing in nats.py. The batch is published again under its
    id."""
    monkeypatch.setattr(outbox_publisher, "ACKNOWLEDGED_WITHIN", 0.1)
    relay = post.new_relay()
    await post.record("one")
    post.server.signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            with pytest.raises(outbox.StreamAway):
                await relay._round()
        (kept,) = await post.batch_ids()
        left = pending_replies(post.nc)
    finally:
        post.server.signal(signal.SIGCONT)
    monkeypatch.undo()
    await until(lambda: post.nc.is_connected)
    done = await relay._round()
    (message,) = await post.messages()

    assert (done.sent, left) == (1, [])
    assert (message.headers or {})["Nats-Msg-Id"] == kept


async def test_a_full_stream_refuses_and_the_rows_wait(post: Post) -> None:
    """The stream has `discard: new`, so it drops no event to make room for another one."""
    config = StreamConfig(name=audit.STREAM, subjects=audit.SUBJECTS, max_msgs=1)
    info = await post.js.stream_info(audit.STREAM)
    config = info.config
    config.max_msgs = 1
    await post.js.update_stream(config)
    async with post.relay() as relay:
        await post.record("first")
        relay.wake()
        await until(post.streamed)
        await post.record("second")
        relay.wake()
        await asyncio.sleep(0.3)
        assert await post.streamed() == ["first"]
        assert await post.waiting() == 1
        config.max_msgs = -1
        await post.js.update_stream(config)
        await until(post.none_waiting)

    assert await post.streamed() == ["first", "second"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("full", "maximum messages exceeded"), ("missing", "NoStreamResponseError")],
)
async def test_the_reason_of_a_refusal_is_told_at_once(
    post: Post, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    """JetStream's error ends the wait for an acknowledgement, which would take its whole time."""
    monkeypatch.setattr(outbox_publisher, "ACKNOWLEDGED_WITHIN", 600.0)
    if fault == "full":
        config = (await post.js.stream_info(audit.STREAM)).config
        config.max_msgs = 1
        await post.js.update_stream(config)
        await post.js.publish(audit.subject_of("test", DASHBOARD, audit.RECORDS), b"{}")
    else:
        await post.js.delete_stream(audit.STREAM)
    await post.record("one")

    with pytest.raises(outbox.StreamAway, match=reason):
        async with asyncio.timeout(60):
            await post.new_relay()._round()
    await outbox.ensure_stream(post.js)


async def test_a_missing_stream_is_made(post: Post) -> None:
    """If the stream's storage was lost, a starting relay creates the stream and sends every waiting
    event."""
    await post.js.delete_stream(audit.STREAM)
    await post.record("one")
    async with post.relay():
        await until(post.none_waiting)

    assert await post.streamed() == ["one"]


async def test_a_stream_that_is_missing_is_made_again(post: Post) -> None:
    """If the stream is deleted while the relay runs, later events still arrive."""
    async with post.relay() as relay:
        await post.js.delete_stream(audit.STREAM)
        await post.record("one")
        relay.wake()
        await until(post.none_waiting)

    assert await post.streamed() == ["one"]
