"""The connection to NATS writes once per turn of the event loop, keeps the order, and loses nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, ConnectionReconnectingError, MaxPayloadError
from tests.bus.probe import Answer, Echo, Slow, Write
from tests.kit.certificates import certified
from tests.kit.nats_server import NatsServer, start, until

from common.bus import NatsBus
from common.bus_server import BusServer
from common.context import Context
from common.nats_client import NatsClient
from common.problems import Invalid, Unavailable
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A server that the test may stop."""
    made = start(tmp_path_factory.mktemp("own"))
    yield made
    made.stop()


async def echo(_: Any, ctx: Context, request: Write) -> Answer:
    return Answer(text=request.name)


async def serve(nc: NatsClient) -> BusServer:
    server = await BusServer.start(nc, "probe", "0.1.0", None)
    await server.add(Write, echo)
    await nc.flush()
    return server


async def test_messages_close_together_go_out_in_few_writes(
    near: NatsClient, far: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred tasks publish in seven turns of the loop. Every message arrives once and in order, with
    one system call a turn."""
    got: list[bytes] = []

    async def keep(message: Msg) -> None:
        got.append(message.data)

    await far.subscribe("x", cb=keep)
    await far.flush()
    await near.flush()
    assert near._protocol is not None
    writes: list[bytes] = []
    write = near._protocol.transport.write

    def count(data: bytes) -> None:
        writes.append(data)
        write(data)

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(transport, name)

        write = staticmethod(count)

    transport = near._protocol.transport
    monkeypatch.setattr(near._protocol, "transport", Counting())

    async def send(number: int) -> None:
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await near.publish("x", str(number).encode())

    await asyncio.gather(*(send(number) for number in range(100)))
    await until(lambda: len(got) == 100)

    turns = [number for turn in range(7) for number in range(100) if number % 7 == turn]
    assert [int(each) for each in got] == turns
    assert len(writes) <= 9


async def test_a_call_takes_few_turns_of_the_loop(
    near: NatsClient, far: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends together: two writes, the start and the end of the handler's task, and the caller. The loop
    has other work now and then, which the best of three attempts is without."""
    await serve(far)
    bus, loop = NatsBus(near), asyncio.get_running_loop()
    await bus.call(context(APP), Write(name="first"))  # subscribes to replies
    scheduled: list[Any] = []
    call_soon = loop.call_soon

    def count(callback: Any, *args: Any, **options: Any) -> Any:
        scheduled.append(callback)
        return call_soon(callback, *args, **options)

    monkeypatch.setattr(loop, "call_soon", count)
    turns = []
    for _ in range(3):
        scheduled.clear()
        for _ in range(20):
            await bus.call(context(APP), Write(name="x"))
        turns.append(len(scheduled))
    monkeypatch.undo()

    assert min(turns) <= 20 * 5, turns


async def test_flush_is_a_barrier(near: NatsClient, far: NatsClient) -> None:
    """After it the server has every message and every subscription of before. nats-py alone would write
    its PING first."""
    sub = await far.subscribe("y")
    await far.flush()
    for number in range(200):
        await near.publish("y", b"1")
        await near.publish("y", b"2")
        await near.flush()
        await far.flush()
        assert sub.pending_msgs == 2 * (number + 1)
    for number in range(50):
        sub = await far.subscribe(f"y.{number}")
        await far.flush()
        await near.publish(f"y.{number}", b"")
        await near.flush()
        await far.flush()
        assert sub.pending_msgs == 1


async def test_a_call_under_way_fails_at_once_with_its_connection(own: NatsServer) -> None:
    """Nobody waits for the deadline of a reply that cannot come. The same objects work again and again
    after the server is back: calls, subscriptions, and what was published meanwhile."""
    near, far = await own.connect(), await own.connect()
    bus, never = NatsBus(near), asyncio.Event()
    heard: list[bytes] = []

    async def slow(_: Any, ctx: Context, request: Slow) -> Answer:
        await never.wait()
        return Answer()

    async def listen(message: Msg) -> None:
        heard.append(message.data)

    server = await serve(far)
    await server.add(Slow, slow)
    await far.subscribe("heard", cb=listen)
    await far.flush()
    for number in range(3):
        call = asyncio.create_task(bus.call(context(APP, within=Slow.within), Slow()))
        await until(lambda number=number: len(server._running) > number)
        own.stop()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(Slow.within / 2):
                await call
        await until(lambda: not near.is_connected and not far.is_connected)
        await near.publish("heard", b"kept")
        own.launch()
        await until(lambda: near.is_connected and far.is_connected)
        await near.flush()
        await far.flush()
        assert (await bus.call(context(APP), Write(name="again"))).text == "again"
    await near.publish("heard", b"last")
    await until(lambda: b"last" in heard)

    assert near.stats["reconnects"] == 3
    assert near._resp_map == {}
    never.set()
    await near.close()
    await far.close()


async def test_without_a_connection_a_request_fails_at_once(own: NatsServer) -> None:
    """It is not kept for the next connection, where its caller would no longer wait."""
    nc = await own.connect()
    own.stop()
    await until(lambda: not nc.is_connected)
    with pytest.raises(ConnectionReconnectingError):
        await nc.request("nobody", b"", timeout=60)
    assert not any(frame.startswith(b"PUB") for frame in nc._pending)

    await nc.close()
    with pytest.raises(ConnectionClosedError):
        await nc.request("nobody", b"", timeout=60)
    with pytest.raises(ConnectionClosedError):
        await nc.publish("nobody", b"")


async def test_a_closed_connection_lets_nobody_wait(server: NatsServer, far: NatsClient) -> None:
    """A request that has no reply yet fails when its own end closes the connection."""
    nc = await server.connect()
    await far.subscribe("silent")
    await far.flush()
    waiting = asyncio.create_task(nc.request("silent", b"", timeout=60))
    await asyncio.sleep(0.05)
    await nc.close()

    with pytest.raises(ConnectionReconnectingError):
        async with asyncio.timeout(30):
            await waiting


async def test_a_drained_connection_has_sent_everything(
    server: NatsServer, far: NatsClient
) -> None:
    """`drain` handles what has arrived, sends what was published before, and refuses what comes later."""
    nc = await server.connect()
    replies = await far.subscribe("handled")

    async def handle(message: Msg) -> None:
        await asyncio.sleep(0)
        await nc.publish("handled", message.data)

    await nc.subscribe("work", cb=handle)
    await nc.flush()
    await far.flush()
    for number in range(50):
        await far.publish("work", str(number).encode())
    await far.flush()
    await nc.drain()
    await far.flush()

    assert replies.pending_msgs == 50
    with pytest.raises(ConnectionClosedError):
        await nc.publish("work", b"")


@pytest.mark.parametrize("over", [1, 0])
async def test_headers_count_as_payload(over: int, near: NatsClient, far: NatsClient) -> None:
    """The server closes the connection for a message whose headers and payload exceed `max_payload`. The
    client refuses it, and sends the largest one."""
    sub = await far.subscribe("large")
    await far.flush()
    block = len(b"NATS/1.0\r\nA: b\r\n\r\n")
    payload = b"x" * (near.max_payload - block + over)
    if over:
        with pytest.raises(MaxPayloadError):
            await near.publish("large", payload, headers={"A": "b"})
    else:
        await near.publish("large", payload, headers={"A": "b"})
    await near.flush()
    await far.flush()

    assert near.is_connected
    assert sub.pending_msgs == 1 - over


async def test_a_request_that_fills_the_limit_is_invalid(near: NatsClient, far: NatsClient) -> None:
    """A body just under the limit is too large together with its context. It cost every caller the
    connection."""
    await serve(far)
    request = Write.model_construct(name="x" * (near.max_payload - 100))
    with pytest.raises(Invalid):
        await NatsBus(near).call(context(APP), request)

    assert (await NatsBus(near).call(context(APP), Write(name="x"))).text == "x"
    assert near.stats["reconnects"] == 0


async def test_a_receiver_that_fails_keeps_the_connection(
    near: NatsClient, far: NatsClient
) -> None:
    """The event loop reports the exception, and the next message is received."""
    reported: list[Any] = []
    received: list[bytes] = []

    def receiver(message: Msg) -> None:
        received.append(message.data)
        raise ZeroDivisionError

    async def unused(_: Msg) -> None:
        raise AssertionError

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: reported.append(what["exception"]))
    try:
        far.receive(await far.subscribe("z", cb=unused), receiver)
        await far.flush()
        await near.publish("z", b"1")
        await near.publish("z", b"2")
        await until(lambda: received == [b"1", b"2"])
    finally:
        loop.set_exception_handler(None)

    assert [type(each) for each in reported] == [ZeroDivisionError] * 2
    assert far.stats["reconnects"] == 0


async def test_a_consumer_of_the_stream_gets_its_messages_in_order(own: NatsServer) -> None:
    """JetStream's subscriptions, with their flow control and heartbeats, are left to nats-py."""
    nc = await own.connect()
    js = nc.jetstream()
    await js.add_stream(name="numbers", subjects=["numbers.>"])
    for number in range(500):
        await js.publish_async(f"numbers.{number % 7}", str(number).encode())
    got: list[int] = []

    async def keep(msg: Msg) -> None:
        got.append(int(msg.data))

    await js.subscribe("numbers.>", cb=keep, ordered_consumer=True, idle_heartbeat=0.5)
    await until(lambda: len(got) == 500)
    await js.publish("numbers.0", b"500")
    await until(lambda: len(got) == 501)

    assert got == list(range(501))
    await nc.close()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_on_every_loop_and_transport(tmp_path: Path, loop: str, secured: bool) -> None:
    """A TLS connection has another transport, and uvloop, which the services use, has its own. Small and
    large calls arrive side by side, also after a reconnect."""
    pem, _ = certified(tmp_path)
    tls = f'tls {{ cert_file: "{pem}", key_file: "{tmp_path / "key.pem"}" }}' if secured else ""
    server = start(tmp_path / "nats", tls)
    trusted = ssl.create_default_context(cafile=pem)
    options: dict[str, Any] = {"tls": trusted, "tls_hostname": "localhost"} if secured else {}

    async def all_sizes() -> None:
        near, far = await server.connect(**options), await server.connect(**options)
        bus = NatsBus(near)
        assert near._protocol is not None
        assert (near._protocol.transport.get_extra_info("ssl_object") is not None) == secured

        async def longer(_: Any, ctx: Context, request: Echo) -> Answer:
            return Answer(text=request.text * 3)

        serving = await serve(far)
        await serving.add(Echo, longer)
        await far.flush()
        for number in range(3):
            sizes = [1, 10, 250_000, 300] * 8
            ctx = context(APP, within=60)
            calls = [bus.call(ctx, Echo(text=f"{size % 7}" * size)) for size in sizes]
            texts = [reply.text for reply in await asyncio.gather(*calls)]
            assert texts == [f"{size % 7}" * size * 3 for size in sizes]
            server.restart()
            for nc in (near, far):
                await until(lambda nc=nc, at=number + 1: nc.stats["reconnects"] == at)
            await until(lambda: near.is_connected and far.is_connected)
            await far.flush()
        await near.close()
        await far.close()

    try:
        (asyncio if loop == "asyncio" else uvloop).run(all_sizes())
    finally:
        server.stop()
