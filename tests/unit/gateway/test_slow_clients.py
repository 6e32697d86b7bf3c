"""Connections without a complete request do not block other clients."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from tests.kit.nats_server import PATIENCE

from common.problems import BadRequest
from gateway.http import slow_clients as connections
from gateway.http.body import LimitedBody
from gateway.http.slow_clients import Connection, connection_limit

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345"


@dataclass
class Server:
    """Answers complete requests. `left` is set when a client of `/stay` disconnected or `/much` is
    sent."""

    port: int = 0
    config: Any = None
    seen: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        self.seen.append(message["type"])
        if scope["path"] == "/stay":
            assert (await receive())["type"] == "http.disconnect"
            self.left.set()
            return
        size = 10_000_000 if scope["path"] == "/much" else 2
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * (size - 2), "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})
        if scope["path"] == "/much":
            self.left.set()

    async def open(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def ask(self) -> bytes:
        reader, writer = await self.open(GET)
        got = await asyncio.wait_for(reader.read(12), 5)
        writer.close()
        return got


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app, listening = Server(), socket.socket()
    listening.bind(("127.0.0.1", 0))
    app.port = listening.getsockname()[1]
    config = uvicorn.Config(
        app, http=Connection, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    app.config = config
    running = uvicorn.Server(config)
    running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(running.serve(sockets=[listening]))
    while not running.started:
        await asyncio.sleep(0.01)
    yield app
    running.should_exit = True
    await task


async def gone(reader: asyncio.StreamReader) -> bool:
    """Returns True if the server has closed the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionResetError:
        return True


@pytest.mark.fault("F33")
@pytest.mark.parametrize("sent", [b"", GET[:20], HALF])
async def test_who_never_finishes_is_sent_away(
    server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A connection is closed if nothing arrives, or half of the headers, or half of a body."""
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.1)
    monkeypatch.setattr(connections, "WHOLE_REQUEST", 0.1)
    reader, writer = await server.open(sent)

    assert await gone(reader)
    writer.close()


@pytest.mark.fault("F33")
async def test_a_byte_now_and_then_wins_no_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit of a request starts with its first byte and is not extended."""
    monkeypatch.setattr(connections, "WHOLE_REQUEST", 0.3)
    reader, writer = await server.open(HALF)

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.1)
            writer.write(b"6")

    dripping = asyncio.create_task(drip())
    try:
        assert await asyncio.wait_for(gone(reader), 0.6)
    finally:
        dripping.cancel()
        writer.close()


async def test_an_idle_connection_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a response, a connection waits for a limited time. Bytes that begin no request win no
    time."""
    monkeypatch.setattr(server.config, "timeout_keep_alive", 0.2)
    reader, writer = await server.open(GET)
    assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"ok"), 5)

    writer.write(b"\r\n")

    assert await asyncio.wait_for(gone(reader), 5)
    writer.close()


async def test_a_request_that_arrives_late_has_its_own_limit(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of an idle connection does not end a request that has begun."""
    monkeypatch.setattr(server.config, "timeout_keep_alive", 0.2)
    reader, writer = await server.open(GET)
    await asyncio.wait_for(reader.readuntil(b"ok"), 5)

    writer.write(GET[:20])
    await asyncio.sleep(0.5)
    writer.write(GET[20:])

    assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"ok"), 5)
    writer.close()


async def test_requests_of_a_connection_share_a_timer(server: Server) -> None:
    """The time limits of a request and of the pause behind it start no timer each."""
    reader, writer = await server.open(GET)
    await asyncio.wait_for(reader.readuntil(b"ok"), 5)
    started: list[object] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counted(when: float, callback: Any, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        if isinstance(getattr(callback, "__self__", None), Connection):
            started.append(callback)
        return call_at(when, callback, *rest, **more)

    loop.call_at = counted  # type: ignore[method-assign, assignment]
    try:
        for _ in range(20):
            writer.write(GET)
            await reader.readuntil(b"ok")
    finally:
        del loop.call_at
    assert len(started) <= 1
    writer.close()


async def test_the_longest_waiting_make_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent connections never block a new client, and a request in progress is kept."""
    monkeypatch.setattr(Connection, "limit", 20)
    _, staying = await server.open(GET.replace(b"/", b"/stay", 1))
    silent = [await server.open(HALF if n % 2 else b"") for n in range(40)]

    for _ in range(5):
        assert await server.ask() == b"HTTP/1.1 200"
    assert not server.left.is_set()
    assert await gone(silent[0][0])
    staying.close()
    async with asyncio.timeout(PATIENCE):
        await server.left.wait()
    for _, writer in silent:
        writer.close()


async def test_a_request_behind_another_hides_no_disconnect(server: Server) -> None:
    """The server notices that a client disconnected, even if it had sent a second request."""
    _, writer = await server.open(GET.replace(b"/", b"/stay", 1) + GET)
    while not server.seen:
        await asyncio.sleep(0.01)
    writer.close()

    async with asyncio.timeout(PATIENCE):
        await server.left.wait()


async def test_who_takes_nothing_is_sent_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response that the client does not read is aborted."""
    monkeypatch.setattr(connections, "STALLED_WRITE", 0.1)
    reader, writer = await server.open(GET.replace(b"/", b"/much", 1))
    reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way

    async with asyncio.timeout(PATIENCE):
        await server.left.wait()
    writer.close()


def test_as_many_files_as_may_be() -> None:
    """The limit of open files is raised, since 1,024 is less than the connections that are kept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert connection_limit() == min(
            connections.MAX_CONNECTIONS, hard - connections.SPARE_FILES
        )
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_half_a_body_is_none() -> None:
    """An incomplete body is not handled as if it were the whole one."""
    sent: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": b"scope=openid pro", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(sent)

    with pytest.raises(BadRequest):
        await LimitedBody(receive, 1000).read()
