"""An upgrade of the protocol is declined, and a body is never read as a request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from gateway.http.slow_clients import Connection

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
OFFERS = [b"h2c", b"websocket", b"TLS/1.0", b"h2c, websocket", b""]
METHODS = [b"POST", b"PUT", b"PATCH", b"DELETE", b"GET"]
WAYS = ["at once", "late", "in pieces", "chunked"]


@dataclass
class App:
    """Echoes the body of each request and records the requests."""

    port: int = 0
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append((scope["method"], scope["path"], body))
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app, listening = App(), socket.socket()
    listening.bind(("127.0.0.1", 0))
    app.port = listening.getsockname()[1]
    config = uvicorn.Config(app, http=Connection, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield app
    server.should_exit = True
    await task


def head(method: bytes, offer: bytes, *length: bytes, close: bool = False) -> bytes:
    options = b"Upgrade, HTTP2-Settings, close" if close else b"Upgrade, HTTP2-Settings"
    fields = [b"Host: x", b"Connection: " + options, b"HTTP2-Settings: AAMAAABk", *length]
    if offer:
        fields.append(b"Upgrade: " + offer)
    return b"\r\n".join([method + b" /shown HTTP/1.1", *fields, b"", b""])


def pieces(way: str, method: bytes, offer: bytes) -> list[bytes]:
    """Returns the bytes to send, piece by piece."""
    if way == "chunked":
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
        return [head(method, offer, b"Transfer-Encoding: chunked", close=True), chunked]
    start = head(method, offer, b"Content-Length: %d" % len(HIDDEN), close=True)
    if way == "at once":
        return [start + HIDDEN]
    if way == "late":
        return [start, HIDDEN]
    return [start[:9], start[9:-3], start[-3:] + HIDDEN[:4], HIDDEN[4:11], HIDDEN[11:]]


async def answers(app: App, sent: list[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    for piece in sent:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    got = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return got


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_body_behind_an_offer_is_a_body(
    app: App, method: bytes, offer: bytes, way: str
) -> None:
    """One request with an upgrade gets one response with the whole body, for every upgrade and way
    of sending."""
    got = await answers(app, pieces(way, method, offer))

    assert app.requests == [(method.decode(), "/shown", HIDDEN)]
    assert got.count(b"HTTP/1.1 200") == got.count(b"HTTP/1.1") - HIDDEN.count(b"HTTP/1.1") == 1


async def test_a_connection_is_kept_behind_an_offer(app: App) -> None:
    """The first and the third of three requests offer an upgrade. All three are answered in order."""
    offered = head(b"POST", b"h2c", b"Content-Length: 3") + b"abc"
    plain = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nde"
    last = head(b"POST", b"websocket", b"Content-Length: 1", close=True) + b"f"

    got = await answers(app, [offered + plain + last])

    assert [body for _, _, body in app.requests] == [b"abc", b"de", b"f"]
    assert got.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    ],
)
async def test_no_tunnel_is_opened(app: App, sent: bytes) -> None:
    """CONNECT and the HTTP/2 preface end the connection, and later bytes are no request."""
    got = await answers(app, [sent])

    assert app.requests == []
    assert got.startswith(b"HTTP/1.1 400")
    assert got.count(b"HTTP/1.1") == 1
