"""Writes a whole response to its connection at once (docs/adr/0017).

uvicorn writes the head when the response starts and the body when it comes, and runs two regular
expressions for each header field. A response whose length is known has no need to start early. A
response without a known length, such as a stream of events, goes the way of uvicorn.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.http.asgi import AsgiApp, Receive, Scope, Send
from gateway.http.uvicorn_private import RequestResponseCycle

TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a field (RFC 9110 section 5.6.2)."""
CONTENT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""Bytes of the value of a field: no line ends and no other control characters (section 5.5)."""
LINE_END: Final = b"\r\n"
CONTENT_LENGTH: Final = b"content-length"
NO_CONTENT: Final = int(HTTPStatus.NO_CONTENT)
COPIED: Final = 65_536
"""Bytes of a body that is copied behind its head. A larger one is written as a second buffer."""
MOST_NAMES: Final = 256

_names: dict[bytes, bytes] = {}
"""The names of fields that were checked, as they begin a line."""


class FieldBlock:
    """Fields that many responses have, encoded once. Raises RuntimeError for an invalid name. Values are
    checked with the head that they become a part of. `connection` is not among them."""

    __slots__ = ("lines", "number")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self.lines = b"".join(_checked(name) + value + LINE_END for name, value in fields)
        self.number = len(fields)


class WholeResponses:
    """An ASGI application whose `send` is a ResponseWriter. Runs on uvicorn's protocol only."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Any) -> Coroutine[Any, Any, None]:
        """Calls the application."""
        writer: Send = ResponseWriter(send.__self__)
        return self._app(scope, receive, writer)  # type: ignore[return-value]


class ResponseWriter:
    """An ASGI `send` that keeps the start of a response until its body comes, if its length is
    known."""

    __slots__ = ("_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: dict[str, Any] | None = None

    async def __call__(self, message: Any) -> None:
        """Sends a message of ASGI. Raises RuntimeError as uvicorn does."""
        start, self._start = self._start, None
        if start is None:
            if _begins_with_known_length(message) and not self._cycle.response_started:
                self._start = message
            else:
                await self._cycle.send(message)
        elif _is_whole(start, message, self._cycle.scope["method"]):
            await self._write(start["status"], start["headers"], message.get("body", b""))
        else:
            await self._cycle.send(start)  # type: ignore[arg-type]
            await self._cycle.send(message)

    async def respond(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        block: FieldBlock | None = None,
    ) -> None:
        """Sends a whole response, with its length. `block` are further headers. The response to HEAD has
        no body, but the length that it would have. Raises RuntimeError if a header is invalid; nothing was
        sent then."""
        if status == NO_CONTENT:
            body = b""  # and no length: RFC 9110 sections 8.6 and 15.3.5
        else:
            headers = [*headers, (CONTENT_LENGTH, b"%d" % len(body))]
        await self._write(status, headers, body, block)

    async def _write(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        block: FieldBlock | None = None,
    ) -> None:
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        if cycle.response_started:
            raise RuntimeError("the response has started")
        head = self._head(status, headers, block)
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        if cycle.scope["method"] == "HEAD" or not body:
            cycle.transport.write(head)
        elif len(body) <= COPIED:
            cycle.transport.write(head + body)
        else:
            cycle.transport.writelines((head, body))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _head(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], block: FieldBlock | None
    ) -> bytes:
        """Returns the status line and the fields. Decides whether the connection stays open."""
        cycle = self._cycle
        says_close = False
        lines = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            begin = _names.get(name) or _checked(name)
            if begin == b"connection: " and b"close" in _options(value):
                says_close, cycle.keep_alive = True, False
            lines.append(begin + value + LINE_END)
        if not cycle.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        if block is not None:
            lines.append(block.lines)
        lines.append(LINE_END)
        head = b"".join(lines)
        # Without what a value may have, exactly one end of each line is left. A value with a line end
        # of its own would begin another field, or the body (CWE-113).
        ends = len(lines) if block is None else len(lines) - 1 + block.number
        if head.translate(None, CONTENT) != LINE_END * ends:
            raise RuntimeError("Invalid HTTP header value.")
        return head


def _begins_with_known_length(message: dict[str, Any]) -> bool:
    """Returns whether the message starts a response with exactly one field for its length."""
    if message["type"] != "http.response.start":
        return False
    names = [name for name, _ in message.get("headers", ())]
    return names.count(CONTENT_LENGTH) == 1 and b"transfer-encoding" not in names


def _is_whole(start: dict[str, Any], message: dict[str, Any], method: str) -> bool:
    """Returns whether the message is the whole body of the response that `start` begins."""
    if message["type"] != "http.response.body" or message.get("more_body"):
        return False
    if method == "HEAD":
        return True
    length = next(value for name, value in start["headers"] if name == CONTENT_LENGTH)
    return bool(length == b"%d" % len(message.get("body", b"")))


def _options(value: bytes) -> list[bytes]:
    """Returns the options of a Connection field (RFC 9110 section 7.6.1)."""
    return [option.strip().lower() for option in value.split(b",")]


def _checked(name: bytes) -> bytes:
    """Returns how a line with the name begins. Raises RuntimeError if the name is invalid."""
    if not TOKEN.fullmatch(name):
        raise RuntimeError("Invalid HTTP header name.")
    begin = name.lower() + b": "
    if len(_names) < MOST_NAMES:
        _names[name] = begin
    return begin
