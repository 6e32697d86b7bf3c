"""The HTTP side: the parser and the event loop of the product, no framework, no checks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

import httptools

Call = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method of the service with a body, and returns its reply."""

METHODS: Final = {
    (b"/oauth2/token", b"client_credentials"): "client_credentials",
    (b"/oauth2/token", b"refresh_token"): "refresh",
    (b"/oauth2/token", b"authorization_code"): "redeem",
    (b"/oauth2/authorize", b""): "authorize",
}
"""Methods of the service by path and `grant_type`, which is the first field of each body."""


def json_response(body: bytes) -> bytes:
    """Returns a whole HTTP response."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def redirect(location: bytes) -> bytes:
    """Returns a whole HTTP response."""
    return b"HTTP/1.1 302 Found\r\nlocation: " + location + b"\r\ncontent-length: 0\r\n\r\n"


class HttpConnection(asyncio.Protocol):
    """One connection. `documents` are whole responses by path. Everything else is a call."""

    def __init__(self, documents: Mapping[bytes, bytes], call: Call) -> None:
        self._documents = documents
        self._call = call
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._path = b""
        self._body = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of another class

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._path = url.partition(b"?")[0]

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        document = self._documents.get(self._path)
        if document is not None:
            self._transport.write(document)
            return
        grant = self._body.partition(b"&")[0].partition(b"=")[2]
        task = self._loop.create_task(self._answer(METHODS[self._path, grant], self._body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, method: str, body: bytes) -> None:
        reply = await self._call(method, body)
        if self._transport.is_closing():
            return  # the load has ended
        self._transport.write(redirect(reply) if method == "authorize" else json_response(reply))
