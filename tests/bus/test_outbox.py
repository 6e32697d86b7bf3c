"""Every committed event arrives on the stream, exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from tests.kit.nats_server import NatsServer, start, until

from common import audit
from common.db import Database
from common.events.base import AuditEvent
from common.events.sessions import Logout
from common.ids import DASHBOARD
from common.outbox import BATCH, Relay, ensure_stream
from common.testing import context

ROOT = Path(__file__).parents[2]


@dataclass
class Post:
    """A database, a NATS server of the test's own, and connections to both."""

    server: NatsServer
    dsns: dict[str, str]
    tenancy: Database
    relay_db: Database
    nc: Client
    js: JetStreamContext

    async def record(self, *names: str) -> None:
        ctx = context(DASHBOARD)
        async with self.tenancy.transaction(ctx) as tx:
            for name in names:
                await audit.record(tx, ctx, Logout(session_id=name))

    async def waiting(self) -> int:
        async with self.relay_db.unbound_transaction() as db:
            found: int = await db.fetchval("SELECT count(*) FROM audit_outbox")
        return found

    async def streamed(self) -> list[str]:
        """Returns the names of the events on the stream, in its order."""
        info = await self.js.stream_info(audit.STREAM)
        names = []
        for seq in range(max(info.state.first_seq, 1), info.state.last_seq + 1):
            msg = await self.js.get_msg(audit.STREAM, seq)
            assert msg.data is not None
            names.append(AuditEvent.model_validate_json(msg.data).event_data["session_id"])
        return names

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        relay = Relay(self.relay_db, self.nc, self.js, "tenancy")
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def die(self, where: str) -> None:
        """Runs dying_relay.py until it is killed by SIGKILL."""
        environment = os.environ | {
            "TENANCY": self.dsns["tenancy"],
            "RELAY": self.dsns["relay"],
            "NATS": self.server.url,
            "PYTHONPATH": os.pathsep.join(["libs", "services", "cli", "."]),
        }
        command = [sys.executable, "-m", "tests.bus.dying_relay", where]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    running = start(tmp_path_factory.mktemp("outbox"))
    yield running
    running.stop()


@pytest.fixture
async def post(own_server: NatsServer, database: dict[str, str]) -> AsyncIterator[Post]:
    tenancy = await Database.connect(database["tenancy"], name="test", size=2)
    relay_db = await Database.connect(database["relay"], name="test-relay", size=4)
    nc = await own_server.connect()
    js = nc.jetstream(timeout=2)
    await ensure_stream(js)
    yield Post(own_server, database, tenancy, relay_db, nc, js)
    if own_server.process is None:
        own_server.launch()
    await until(lambda: nc.is_connected)
    await js.delete_stream(audit.STREAM)
    await nc.close()
    await tenancy.close()
    await relay_db.close()


async def test_a_committed_event_arrives_whole(post: Post) -> None:
    """The event on the stream equals the record in the log: the same id, type, data and time."""
    async with post.relay() as relay:
        await post.record("one")
        relay.wake()
        await until(lambda: _none_waiting(post))
    msg = await post.js.get_msg(audit.STREAM, 1)
    async with post.tenancy.reader(context(DASHBOARD)) as db:
        row = await db.fetchrow("SELECT id, event_type, event_data, created_at FROM audit_logs")
    assert row is not None
    assert msg.data is not None
    event = AuditEvent.model_validate_json(msg.data)

    assert msg.subject == f"audit.tenancy.{DASHBOARD}.logout"
    assert msg.headers is not None
    assert msg.headers["Nats-Msg-Id"] == row["id"] == event.id
    assert event.event_data == row["event_data"] == {"session_id": "one"}
    assert event.created_at == row["created_at"]


async def _none_waiting(post: Post) -> bool:
    return await post.waiting() == 0


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


async def test_killed_between_commit_and_publish(post: Post) -> None:
    """If a process dies right after its commit, the next relay publishes the event."""
    await asyncio.to_thread(post.die, "committed")
    assert await post.waiting() == 1
    async with post.relay():
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["committed"]


async def test_killed_between_publish_and_delete(post: Post) -> None:
    """The event is on the stream and its row still exists. The relay sends it again, and the stream
    drops the duplicate."""
    await post.record("one", "two")
    await asyncio.to_thread(post.die, "published")
    assert await post.streamed() == ["one", "two"]
    assert await post.waiting() == 2
    async with post.relay():
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["one", "two"]


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
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["0", "1", "2"]


async def test_a_long_outage_does_not_wear_the_relay_out(post: Post) -> None:
    """Failed attempts to publish release their places among the pending messages of nats.py."""
    relay = Relay(post.relay_db, post.nc, post.js, "tenancy")
    await post.record("one")
    post.server.stop()
    await until(lambda: not post.nc.is_connected)
    for _ in range(50):
        with pytest.raises(Exception):  # noqa: B017 - whatever it is, `run` must survive it
            await relay._round()
    free = post.js._publish_async_pending_semaphore._value
    post.server.launch()
    await until(lambda: post.nc.is_connected)

    assert free == 4000
    assert post.js._publish_async_futures == {}
    assert await relay._round() == 1
    assert await post.streamed() == ["one"]


async def test_two_relays_send_everything_once(post: Post) -> None:
    """Two relays share the rows by SKIP LOCKED. Every event is sent, and none twice."""
    names = [str(n) for n in range(3 * BATCH)]
    for begin in range(0, len(names), 50):
        await post.record(*names[begin : begin + 50])
    async with post.relay(), post.relay():
        await until(lambda: _none_waiting(post), within=20)

    assert sorted(await post.streamed(), key=int) == names


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
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["first", "second"]


async def test_an_event_too_large_for_the_stream_holds_up_nobody(post: Post) -> None:
    """An event that is too large stays in the log and is not sent. The next one is sent."""
    huge = "x" * (post.nc.max_payload + 1)
    async with post.tenancy.transaction(context(DASHBOARD)) as db:
        await db.execute(
            "INSERT INTO audit_outbox (app_id, event_id, event_type, payload) VALUES ($1, $1, 'x', $2)",
            DASHBOARD,
            orjson.dumps(huge),
        )
    await post.record("next")
    async with post.relay():
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["next"]


async def test_a_missing_stream_is_made(post: Post) -> None:
    """If the stream's storage was lost, a starting relay creates the stream and sends every waiting
    event."""
    await post.js.delete_stream(audit.STREAM)
    await post.record("one")
    async with post.relay():
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["one"]


async def test_a_stream_that_is_missing_is_made_again(post: Post) -> None:
    """If the stream is deleted while the relay runs, later events still arrive."""
    async with post.relay() as relay:
        await post.js.delete_stream(audit.STREAM)
        await post.record("one")
        relay.wake()
        await until(lambda: _none_waiting(post))

    assert await post.streamed() == ["one"]
