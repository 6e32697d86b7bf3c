"""A gateway that is replaced stops accepting and loses no request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import server as gateway_server
from gateway.http import slow_clients as connections
from gateway.server import Server, server_of

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def running() -> AsyncIterator[tuple[Server, socket.socket]]:
    """A server that accepts connections, and its listening socket."""
    server = server_of(application)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listening])
        yield server, listening


async def connected(address: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*address)


async def test_a_request_on_its_way_is_answered(running: tuple[Server, socket.socket]) -> None:
    """A client that just connected, or sent half of a request, gets a response. Then the connection
    is closed."""
    server, listening = running
    address = listening.getsockname()
    fresh, half = await connected(address), await connected(address)
    half[1].write(GET[:20])
    while len(server.server_state.connections) < 2:
        await asyncio.sleep(0.01)

    ending = asyncio.create_task(server.shutdown([listening]))
    await asyncio.sleep(0)
    fresh[1].write(GET)
    half[1].write(GET[20:])
    for reader, writer in (fresh, half):
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"ok")
        writer.close()
    await ending


async def test_who_waits_to_be_accepted_is_answered(
    running: tuple[Server, socket.socket],
) -> None:
    """Connections in the backlog of the socket are not reset when the listener closes."""
    server, listening = running
    address = listening.getsockname()
    waiting = [
        socket.create_connection(address) for _ in range(5)
    ]  # the event loop does not run yet
    for each in waiting:
        each.sendall(GET)

    await server.shutdown([listening])

    for each in waiting:
        with each:
            each.settimeout(10)
            assert each.recv(12) == b"HTTP/1.1 200"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


async def test_nobody_holds_up_the_end(
    running: tuple[Server, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the platform stops, a silent connection is closed soon, and one that was answered at once."""
    monkeypatch.setattr(connections, "LAST_REQUEST", 0.05)
    server, listening = running
    address = listening.getsockname()
    silent, answered = await connected(address), await connected(address)
    answered[1].write(GET)
    await answered[0].readuntil(b"ok")

    await server.shutdown([listening])

    assert not server.server_state.connections
    for reader, writer in (silent, answered):
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def answered(reader: asyncio.StreamReader) -> bytes:
    """Returns the head of the next response, and reads its body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200"), head
    assert await reader.readexactly(2) == b"ok"
    return head


async def stopping(server: Server, listening: socket.socket, lame_duck: float) -> None:
    """Stops the server as its process does at SIGTERM."""
    await server.stop(lame_duck, hurry=False)
    await server.shutdown([listening])


async def test_a_lame_duck_still_serves(running: tuple[Server, socket.socket]) -> None:
    """In the lame duck phase new connections are accepted and kept ones are served. Each response ends
    its connection, and says so. A response that was begun before does it, too."""
    server, listening = running
    address = listening.getsockname()
    kept = await connected(address)
    kept[1].write(GET)
    assert b"connection: close" not in await answered(kept[0])

    ending = asyncio.create_task(stopping(server, listening, 0.2))
    await asyncio.sleep(0)
    fresh = await connected(address)
    for reader, writer in (kept, fresh):
        writer.write(GET)
        assert b"connection: close" in await answered(reader)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    await ending

    assert server.should_exit


async def test_a_client_that_keeps_its_connection_is_answered(
    running: tuple[Server, socket.socket],
) -> None:
    """A kept connection may be used once more after the server has stopped to accept. Its client is not
    reset, and reads when to open another one."""
    server, listening = running
    kept = await connected(listening.getsockname())
    kept[1].write(GET)
    await answered(kept[0])
    ending = asyncio.create_task(stopping(server, listening, 0))
    await asyncio.sleep(0.2)
    assert not ending.done()

    kept[1].write(GET)
    head = await answered(kept[0])

    assert b"connection: close" in head
    assert await asyncio.wait_for(kept[0].read(), 10) == b""
    kept[1].close()
    await ending


async def test_a_request_that_crosses_the_end_is_not_reset(
    running: tuple[Server, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends at the moment of the end reads the end of the connection, not a reset, and its
    request is not worked on. So it may send it again."""
    monkeypatch.setattr(gateway_server, "IDLE_TIME", 0.1)
    server, listening = running
    kept = await connected(listening.getsockname())
    kept[1].write(GET)
    await answered(kept[0])
    ending = asyncio.create_task(stopping(server, listening, 0))
    assert await asyncio.wait_for(kept[0].read(), 10) == b""  # the server has sent its end

    for _ in range(3):
        kept[1].write(GET)
        await asyncio.sleep(0.05)
        assert await kept[0].read() == b""  # a reset would raise
    assert server.server_state.total_requests == 1
    kept[1].close()
    await ending


async def test_all_requests_of_a_pipeline_are_answered(
    running: tuple[Server, socket.socket],
) -> None:
    """Only the last response of a pipeline ends the connection (RFC 9112 section 9.3.2)."""
    server, listening = running
    reader, writer = await connected(listening.getsockname())
    writer.write(GET)
    await answered(reader)
    ending = asyncio.create_task(stopping(server, listening, 0))
    await asyncio.sleep(0)
    writer.write(GET * 3)

    heads = [await answered(reader) for _ in range(3)]

    assert [b"connection: close" in head for head in heads] == [False, False, True]
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await ending


async def test_a_slow_request_may_take_its_time(
    running: tuple[Server, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that had begun to arrive is waited for as long as at any other time."""
    monkeypatch.setattr(gateway_server, "IDLE_TIME", 0.05)
    monkeypatch.setattr(connections, "LAST_REQUEST", 0.05)
    server, listening = running
    reader, writer = await connected(listening.getsockname())
    writer.write(GET[:20])
    while not any(each._begun for each in server.server_state.connections):  # type: ignore[union-attr]
        await asyncio.sleep(0.01)
    ending = asyncio.create_task(stopping(server, listening, 0))
    await asyncio.sleep(0.3)

    writer.write(GET[20:])

    assert b"connection: close" in await answered(reader)
    writer.close()
    await ending
