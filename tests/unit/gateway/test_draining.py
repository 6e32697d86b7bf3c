"""A gateway that is replaced stops accepting and loses no request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

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
    """A silent connection is closed, and one that was answered is closed at once."""
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
