"""A NATS server that stops reading, sends nonsense, or says things in an unusual order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import FlushTimeoutError, OutboundBufferLimitError, SlowConsumerError
from nats.errors import TimeoutError as NatsTimeoutError
from tests.bus.probe import Slow
from tests.kit.nats_server import until
from tests.kit.scripted_nats import ScriptedNats, scripted_nats

from common.bus import NatsBus
from common.nats_client import NatsClient
from common.nats_protocol import READ_AHEAD
from common.nats_wire import header_block
from common.problems import Unavailable
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"
LIMIT = 256 * 1024
"""`pending_size` of the clients here."""
PIECE = b"x" * 32 * 1024


@pytest.fixture
async def script() -> AsyncIterator[ScriptedNats]:
    async with scripted_nats() as running:
        yield running


async def connect(script: ScriptedNats, **options: Any) -> NatsClient:
    """Connects; what the client reports is in `nc.reported`."""
    nc, reported = NatsClient(), []

    async def report(error: Exception) -> None:
        reported.append(error)

    usual: dict[str, Any] = {
        "error_cb": report,
        "reconnect_time_wait": 0.01,
        "max_reconnect_attempts": -1,
    }
    await nc.connect(script.url, pending_size=LIMIT, **(usual | options))
    nc.reported = reported  # type: ignore[attr-defined]
    return nc


async def fill(nc: NatsClient) -> int:
    """Publishes until not even an empty message is taken. Returns how many messages were."""
    sent = 0
    for payload in (PIECE, b""):
        for _ in range(10_000):
            try:
                nc.send("full", payload, headers={"N": str(sent)})
            except OutboundBufferLimitError:
                break
            sent += 1
            await asyncio.sleep(0)
    return sent


def numbers(script: ScriptedNats) -> list[int]:
    """Returns the numbers of the messages that arrived, in order."""
    parts = bytes(script.received).split(b"\r\nN: ")[1:]
    return [int(part.partition(b"\r\n")[0]) for part in parts]


async def test_a_server_that_reads_nothing_makes_publishers_wait(script: ScriptedNats) -> None:
    """At most `pending_size` bytes are kept. Publishers wait, a request fails at once, and nothing is lost
    or sent twice once the server reads again."""
    nc = await connect(script, ping_interval=600)
    script.reads.clear()
    sent = await fill(nc)
    most = nc.pending_data_size
    publishers = [
        asyncio.create_task(nc.publish("full", PIECE, headers={"N": str(sent + number)}))
        for number in range(50)
    ]
    await asyncio.sleep(0.1)

    assert most <= LIMIT
    assert nc.pending_data_size <= LIMIT
    assert not any(publisher.done() for publisher in publishers)
    with pytest.raises(Unavailable) as refused:
        await NatsBus(nc).call(context(APP, within=Slow.within), Slow())
    assert refused.value.extra["retry_after"] == 1

    script.reads.set()
    await asyncio.gather(*publishers)
    await nc.flush()
    await until(lambda: len(numbers(script)) == sent + 50)
    assert numbers(script)[:sent] == list(range(sent))
    assert sorted(numbers(script)) == list(range(sent + 50))
    assert b"probe.thing.slow" not in script.received
    await nc.close()


async def test_one_turn_cannot_exceed_the_limit(script: ScriptedNats) -> None:
    """A loop that publishes without a pause is written meanwhile, and then waits like others."""
    nc = await connect(script)
    for number in range(200):
        await nc.publish("full", PIECE, headers={"N": str(number)})
        assert nc.pending_data_size <= LIMIT
    await nc.flush()
    await until(lambda: len(numbers(script)) == 200)

    assert numbers(script) == list(range(200))
    await nc.close()


async def test_a_hung_server_is_left(script: ScriptedNats) -> None:
    """The connection ends although bytes wait to be written, and publishers that waited go on: what they
    send is kept for the next connection, as far as it takes that."""
    nc = await connect(script, ping_interval=0.3, max_outstanding_pings=2)
    script.reads.clear()
    sent = await fill(nc)
    waiting = asyncio.create_task(nc.publish("full", PIECE, headers={"N": str(sent)}))
    await until(lambda: nc.is_connected and nc.stats["reconnects"] == 1)
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    await nc.flush()

    kept = numbers(script)
    assert kept == list(range(kept[0], kept[-1] + 1))
    assert (kept[-1] == sent) == (outcome is None)
    await nc.close()


async def test_a_request_that_was_not_written_is_not_sent_later(script: ScriptedNats) -> None:
    """A call whose caller gave up must not be worked on, whether it ran out of time or was cancelled."""
    nc = await connect(script, ping_interval=600)
    await nc._init_request_sub()
    await nc.flush()
    script.reads.clear()
    while nc._protocol is not None and not nc._protocol.paused:
        nc.send("full", PIECE)
        await asyncio.sleep(0)
    late = asyncio.create_task(nc.request("too.late", b"", timeout=0.05))
    cancelled = asyncio.create_task(nc.request("cancelled", b"", timeout=60))
    wanted = asyncio.create_task(nc.request("wanted", b"", timeout=60))
    with pytest.raises(NatsTimeoutError):
        await late
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    script.reads.set()
    await until(lambda: b"PUB wanted" in script.received)

    assert b"too.late" not in script.received
    assert b"cancelled" not in script.received
    wanted.cancel()
    await nc.close()


async def test_everything_is_sent_in_the_order_of_the_calls(script: ScriptedNats) -> None:
    """Messages, subscriptions, PING, and PONG among them."""
    nc = await connect(script, ping_interval=600)
    await nc.publish("one", b"")
    await nc.subscribe("two")
    nc.send("three", b"", headers={"A": "b"})
    await nc.flush()
    await nc.publish("four", b"")
    script.send(b"PING\r\n")
    await until(lambda: b"PONG" in script.received)
    verbs = [line.split(b" ")[0] for line in bytes(script.received).split(b"\r\n") if line]

    sent = [b"PUB", b"SUB", b"HPUB", b"NATS/1.0", b"A:", b"PING", b"PUB", b"PONG"]
    assert verbs == sent
    await nc.close()


async def heard_by(nc: NatsClient, subject: str, **options: Any) -> list[Msg]:
    """Subscribes, and returns the list that messages are added to."""
    got: list[Msg] = []

    async def keep(msg: Msg) -> None:
        got.append(msg)

    await nc.subscribe(subject, cb=keep, **options)
    await nc.flush()
    return got


async def test_frames_arrive_byte_by_byte(script: ScriptedNats) -> None:
    """Messages with and without headers between PING and PONG, each byte in a segment of its own."""
    nc = await connect(script)
    got = await heard_by(nc, "a")
    sid = script.sid(b"a")
    block = header_block({"Name": "v"})
    sizes = b"%d %d" % (len(block), len(block) + 2)
    stream = b"MSG a %b 4\r\n\r\n\r\n\r\nPING\r\nHMSG a %b r %b\r\n%b" % (sid, sid, sizes, block)
    before = script.received.count(b"PONG\r\n")
    for byte in stream + b"hi\r\nPONG\r\n":
        script.send(bytes([byte]))
        await asyncio.sleep(0.001)
    await until(lambda: len(got) == 2)
    await until(lambda: script.received.count(b"PONG\r\n") == before + 1)

    assert [(msg.data, msg.reply, msg.headers) for msg in got] == [
        (b"\r\n\r\n", "", None),
        (b"hi", "r", {"Name": "v"}),
    ]
    await nc.close()


@pytest.mark.parametrize(
    "nonsense", [b"HELLO\r\n", b"MSG a 1 -5\r\n", b"MSG a 1 1\r\nxyz", b"\0" * 70_000]
)
async def test_nonsense_ends_the_connection_and_no_more(
    script: ScriptedNats, nonsense: bytes
) -> None:
    """What came before it is delivered, what follows is not, and the client connects again."""
    nc = await connect(script)
    got = await heard_by(nc, "a")
    message = b"MSG a %b 2\r\nok\r\n" % script.sid(b"a")
    script.send(message + nonsense + message)
    await until(lambda: nc.stats["reconnects"] == 1 and nc.is_connected)
    script.send(message)
    await until(lambda: len(got) == 2)
    await asyncio.sleep(0.05)

    assert len(got) == 2
    await nc.close()


async def test_what_comes_with_the_handshake_counts(script: ScriptedNats) -> None:
    """Bytes behind the first PONG are not lost: here, the other servers of a cluster."""
    script.greeting = b'PONG\r\nINFO {"connect_urls":["127.0.0.1:1"]}\r\nPING\r\n'
    nc = await connect(script)
    await until(lambda: b"PONG\r\n" in script.received)

    assert [each.netloc for each in nc.discovered_servers] == ["127.0.0.1:1"]
    await nc.close()


async def test_nothing_overtakes_what_must_wait(script: ScriptedNats) -> None:
    """While a callback of INFO runs, messages and PONG wait behind it, in order. What may wait is limited:
    then no more is read from the socket."""
    go = asyncio.Event()

    async def leave() -> None:
        await go.wait()

    nc = await connect(script, lame_duck_mode_cb=leave, ping_interval=600)
    got = await heard_by(nc, "a")
    message = b"MSG a %b 100000\r\n%b\r\n" % (script.sid(b"a"), b"y" * 100_000)
    script.answers_pings = False
    script.send(b'INFO {"ldm":true}\r\n' + message * 400)
    script.send(b"PONG\r\n")
    flush = asyncio.create_task(nc.flush(timeout=60))
    await asyncio.sleep(0.3)

    assert got == []
    assert not flush.done()
    assert nc._protocol is not None
    assert READ_AHEAD < nc._protocol._waiting_bytes < 2 * READ_AHEAD
    go.set()
    await until(lambda: len(got) == 400)
    await flush
    await nc.close()


async def test_a_late_pong_disturbs_nobody(script: ScriptedNats) -> None:
    """A flush that ran out of time still owns its PONG. nats-py alone stopped reading there."""
    script.answers_pings = False
    nc = await connect(script)
    with pytest.raises(FlushTimeoutError):
        await nc.flush(timeout=0.05)  # type: ignore[arg-type]
    later = asyncio.create_task(nc.flush(timeout=60))
    await asyncio.sleep(0.05)
    script.send(b"PONG\r\n")
    await asyncio.sleep(0.1)
    assert not later.done()
    script.send(b"PONG\r\n")
    await later

    assert nc.reported == []  # type: ignore[attr-defined]
    assert nc.is_connected
    await nc.close()


async def test_a_ping_belongs_to_its_connection(script: ScriptedNats) -> None:
    """A PING that was not written is not sent to the next server: its PONG would end a later flush too
    early."""
    nc = await connect(script, ping_interval=600)
    script.reads.clear()
    await fill(nc)
    flush = asyncio.create_task(nc.flush(timeout=60))
    await asyncio.sleep(0.05)
    script.writers[-1].transport.abort()
    await until(lambda: nc.stats["reconnects"] == 1 and nc.is_connected)
    flush.cancel()
    await nc.flush()

    assert script.received.count(b"PING\r\n") == 2  # of the reconnect, and of this flush
    await nc.close()


async def test_a_slow_subscription_loses_only_its_own(script: ScriptedNats) -> None:
    """Its queue is limited. What does not fit is reported and dropped, other subscriptions get theirs."""
    nc = await connect(script)
    go = asyncio.Event()
    slow: list[bytes] = []

    async def wait(msg: Msg) -> None:
        await go.wait()
        slow.append(msg.data)

    await nc.subscribe("slow", cb=wait, pending_msgs_limit=3)
    got = await heard_by(nc, "a")
    for number in range(10):
        script.send(b"MSG slow %b 1\r\n%d\r\n" % (script.sid(b"slow"), number))
        script.send(b"MSG a %b 1\r\n%d\r\n" % (script.sid(b"a"), number))
    await until(lambda: len(got) == 10)
    go.set()
    await until(lambda: len(slow) >= 3)

    reported = nc.reported  # type: ignore[attr-defined]
    assert slow == [b"%d" % number for number in range(len(slow))]
    assert [type(error) for error in reported] == [SlowConsumerError] * (10 - len(slow))
    await nc.close()


async def test_a_subscription_may_end_after_a_number_of_messages(script: ScriptedNats) -> None:
    """nats-py counts them, and the server's surplus is dropped."""
    nc = await connect(script)
    subscription = await nc.subscribe("few")
    await subscription.unsubscribe(limit=2)
    await nc.flush()
    script.send(b"MSG few %b 1\r\nx\r\n" % b"1" * 5)
    await until(lambda: subscription.delivered == 2)
    await nc.close()

    assert subscription.pending_msgs == 2
