"""A response goes out in one write, with the bytes that uvicorn would send."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl

from gateway.http import response_writer
from gateway.http.response_writer import COPIED, FieldBlock, ResponseWriter
from gateway.http.uvicorn_private import RequestResponseCycle
from gateway.server import server_of

Headers = list[tuple[bytes, bytes]]
DATE: Headers = [(b"date", b"Mon, 30 Nov 2026 09:00:00 GMT")]
VALUE = st.binary(max_size=12).map(
    lambda raw: bytes(byte for byte in raw if byte in response_writer.CONTENT)
)
NAME = st.sampled_from([b"content-type", b"X-Frame-Options", b"set-cookie", b"etag", b"x_1"])
CONTROLS = [byte for byte in range(256) if byte not in response_writer.CONTENT]


@dataclass
class Transport(asyncio.Transport):
    """Keeps what is written."""

    writes: list[bytes] = field(default_factory=list)
    closed: bool = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.writes.append(b"".join(list_of_data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@dataclass
class Exchange:
    """A request that waits for its response."""

    method: str = "GET"
    keep_alive: bool = True
    transport: Transport = field(default_factory=Transport)
    finished: int = 0

    def __post_init__(self) -> None:
        unused: Any = None
        self.cycle = RequestResponseCycle(
            scope={"type": "http", "method": self.method},  # type: ignore[typeddict-item]
            transport=self.transport,
            flow=FlowControl(self.transport),
            logger=unused,
            access_logger=unused,
            access_log=False,
            default_headers=list(DATE),
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=self.keep_alive,
            on_response=self._on_response,
        )

    def _on_response(self) -> None:
        self.finished += 1

    def outcome(self) -> tuple[bytes, bool, bool, bool, bool, int]:
        cycle = self.cycle
        sent = b"".join(self.transport.writes)
        state = (cycle.response_started, cycle.response_complete, cycle.keep_alive)
        return (sent, self.transport.closed, *state, self.finished)


def now(work: Any) -> None:
    """Runs work that waits for nothing."""
    with pytest.raises(StopIteration):
        work.send(None)


def start(status: int, headers: Headers) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


@given(
    status=st.sampled_from([200, 201, 204, 303, 304, 401, 404, 500, 599]),
    headers=st.lists(st.tuples(NAME, VALUE), max_size=6),
    connection=st.sampled_from([None, b"close", b"Keep-Alive, Close", b"keep-alive"]),
    data=st.sampled_from([b"", b"x", b"y" * 300, b"z" * (COPIED + 1)]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    keep_alive=st.booleans(),
    whole=st.booleans(),
)
def test_the_bytes_are_those_of_uvicorn(
    status: int,
    headers: Headers,
    connection: bytes | None,
    data: bytes,
    method: str,
    keep_alive: bool,
    whole: bool,
) -> None:
    """The same bytes, state and end of the connection, in one write instead of two."""
    if status == 204 and whole:
        whole = False  # test_no_content_has_no_length
    if connection is not None:
        headers = [*headers, (b"connection", connection)]
    length = (b"content-length", b"%d" % len(data))
    theirs = Exchange(method, keep_alive)
    now(theirs.cycle.send(start(status, [*headers, length])))  # type: ignore[arg-type]
    now(theirs.cycle.send(body(data)))  # type: ignore[arg-type]
    ours = Exchange(method, keep_alive)
    writer = ResponseWriter(ours.cycle)
    if whole:
        now(writer.respond(status, headers, data))
    else:
        now(writer(start(status, [*headers, length])))
        assert ours.transport.writes == []
        now(writer(body(data)))

    assert ours.outcome() == theirs.outcome()
    assert len(ours.transport.writes) == 1


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        ([], [(b"data: 1\n\n", True), (b"data: 2\n\n", True), (b"", False)]),
        ([(b"content-length", b"4")], [(b"ab", True), (b"cd", False)]),
        ([(b"transfer-encoding", b"chunked")], [(b"ab", True), (b"", False)]),
        ([(b"Content-Length", b"2")], [(b"ab", False)]),
        ([(b"content-length", b"2"), (b"transfer-encoding", b"chunked")], [(b"ab", False)]),
    ],
    ids=["unknown length", "known length in pieces", "chunked", "spelled differently", "both"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_comes_in_pieces_goes_the_way_of_uvicorn(
    headers: Headers, pieces: list[tuple[bytes, bool]], method: str
) -> None:
    """Each piece is written when it comes. The head of a stream does not wait for the first event."""
    theirs, ours = Exchange(method), Exchange(method)
    writer = ResponseWriter(ours.cycle)
    now(theirs.cycle.send(start(200, headers)))  # type: ignore[arg-type]
    now(writer(start(200, headers)))
    assert bool(ours.transport.writes) == ([name for name, _ in headers] != [b"content-length"])
    for data, more in pieces:
        now(theirs.cycle.send(body(data, more=more)))  # type: ignore[arg-type]
        now(writer(body(data, more=more)))
        assert b"".join(ours.transport.writes) == b"".join(theirs.transport.writes)

    assert ours.outcome() == theirs.outcome()


@pytest.mark.parametrize("length", [b"1", b"3", b"2, 2", b"\xb2"])
def test_a_length_that_is_not_that_of_the_body_is_refused(length: bytes) -> None:
    """Otherwise the next response on the connection would begin in the middle of this one."""
    exchange = Exchange()
    writer = ResponseWriter(exchange.cycle)
    now(writer(start(200, [(b"content-length", length)])))
    with pytest.raises((RuntimeError, ValueError)):
        writer(body(b"ab")).send(None)
    assert not exchange.finished


@given(
    place=st.sampled_from(["value", "name"]),
    control=st.sampled_from(CONTROLS),
    before=VALUE,
    after=st.sampled_from([b"", b"x", b"\r\nset-cookie: a=b", b"\n\n<script>"]),
    at=st.integers(0, 3),
    whole=st.booleans(),
)
def test_no_control_character_gets_into_the_head(
    place: str, control: int, before: bytes, after: bytes, at: int, whole: bool
) -> None:
    """A value that was made from input begins no other field and no body (CWE-113). Nothing is sent,
    so that an error can be sent instead."""
    bad = before + bytes([control]) + after
    headers: Headers = [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-c", b"3")]
    headers.insert(at, (b"x-bad", bad) if place == "value" else (b"x" + bad, b"1"))
    exchange = Exchange()
    writer = ResponseWriter(exchange.cycle)
    sending = writer.respond(200, headers, b"ok")
    if not whole:
        sending.close()
        now(writer(start(200, [*headers, (b"content-length", b"2")])))
        sending = writer(body(b"ok"))
    with pytest.raises(RuntimeError, match="Invalid HTTP header"):
        sending.send(None)

    assert exchange.transport.writes == []
    assert not exchange.cycle.response_started


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a(", b'"a"', b"\xe4", b"a\x00"])
def test_a_name_is_a_token(name: bytes) -> None:
    """It is checked once, and remembered only if it is valid (RFC 9110 section 5.6.2)."""
    for _ in range(2):
        with pytest.raises(RuntimeError, match="name"):
            ResponseWriter(Exchange().cycle).respond(200, [(name, b"1")], b"").send(None)


def test_only_so_many_names_are_remembered() -> None:
    """Names made from input would otherwise fill the memory."""
    for number in range(response_writer.MOST_NAMES + 50):
        now(ResponseWriter(Exchange().cycle).respond(200, [(b"x-%d" % number, b"")], b""))

    assert len(response_writer._names) <= response_writer.MOST_NAMES


def test_a_client_that_has_left_gets_nothing() -> None:
    """The response does not end either: its connection is gone."""
    exchange = Exchange()
    exchange.cycle.disconnected = True
    now(ResponseWriter(exchange.cycle).respond(200, [], b"ok"))

    assert exchange.transport.writes == []
    assert exchange.finished == 0


def test_a_second_response_is_refused() -> None:
    """It would be taken for the response to the next request."""
    exchange = Exchange()
    writer = ResponseWriter(exchange.cycle)
    now(writer.respond(200, [], b"ok"))
    for again in (writer.respond(200, [], b"no"), writer(start(200, [])), writer(body(b"no"))):
        with pytest.raises(RuntimeError):
            again.send(None)

    assert exchange.finished == 1


async def test_a_response_waits_while_the_buffers_are_full() -> None:
    """Flow control holds for the next response of a connection, too."""
    exchange = Exchange()
    exchange.cycle.flow.pause_writing()
    task = asyncio.create_task(ResponseWriter(exchange.cycle).respond(200, [], b"ok"))
    await asyncio.sleep(0)
    assert exchange.transport.writes == []
    exchange.cycle.flow.resume_writing()
    await task

    assert exchange.finished == 1


LARGE = 5_000_000


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """A small, a large, a streamed and a failing response."""
    path = scope["path"]
    if path == "/stream":
        await send(start(200, []))
        while (await receive())["type"] != "http.disconnect":
            await send(body(b"data: 1\n\n", more=True))
        return
    data = b"x" * LARGE if path == "/large" else path.encode()
    await send(start(200, [(b"content-length", b"%d" % len(data))]))
    if path == "/fails":
        raise ValueError
    await send(body(data))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = server_of(answers)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    await task


async def ask(port: int, *paths: str, method: str = "GET", end: bool = True) -> bytes:
    """Sends requests at once on one connection, and returns all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, path in enumerate(paths, 1):
        close = "Connection: close\r\n" if end and number == len(paths) else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n".encode())
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return received


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """Three requests in one packet, on a connection that stays open between them."""
    received = await ask(port, "/one", "/two", "/three")
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]]

    assert bodies == [b"/one", b"/two", b"/three"]
    assert received.count(b"connection: close") == 1
    assert received.count(b"\r\ndate: ") == 3


async def test_a_head_request_gets_the_length_and_no_body(port: int) -> None:
    """The next response on the connection begins right behind the head."""
    received = await ask(port, "/one", "/three", method="HEAD")

    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert b"content-length: 4\r\n" in received
    assert received.endswith(b"\r\n\r\n")


async def test_a_large_body_reaches_a_slow_reader_and_the_connection_goes_on(port: int) -> None:
    """The rest is written as the reader takes it; the response behind it waits."""
    received = await ask(port, "/large", "/one")
    _, _, rest = received.partition(b"\r\n\r\n")

    assert rest[:LARGE] == b"x" * LARGE
    assert rest.endswith(b"/one")


async def test_the_head_of_a_stream_comes_at_once(port: int) -> None:
    """A browser's EventSource is open before the first event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()

    assert b"transfer-encoding: chunked" in head


async def test_a_failure_before_the_body_is_a_500(port: int) -> None:
    """Nothing was written yet, so the client is told, instead of a connection that breaks."""
    received = await ask(port, "/fails", end=False)

    assert received.startswith(b"HTTP/1.1 500 ")
    assert b"connection: close" in received


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_no_content_has_no_length(method: str) -> None:
    """A response with status 204 has neither a Content-Length nor a body (RFC 9110 sections 8.6 and
    15.3.5). The next response of the connection is not mistaken for it."""
    exchange = Exchange(method)
    now(ResponseWriter(exchange.cycle).respond(204, [(b"etag", b"1")], b"ignored"))

    [sent] = exchange.transport.writes
    assert sent == b"HTTP/1.1 204 No Content\r\n%s: %s\r\netag: 1\r\n\r\n" % DATE[0]


@given(fields=st.lists(st.tuples(NAME, VALUE), max_size=6), status=st.sampled_from([200, 204]))
def test_a_block_is_sent_as_its_fields(fields: Headers, status: int) -> None:
    """Fields that are encoded once are sent as if each were given."""
    block, single = Exchange(), Exchange()
    more: Headers = [(b"x-more", b"1")]
    now(ResponseWriter(block.cycle).respond(status, more, b"ok", FieldBlock(fields)))
    now(ResponseWriter(single.cycle).respond(status, [*more, *fields], b"ok"))

    [head], [expected] = ([b.split(b"\r\n") for b in e.transport.writes] for e in (block, single))
    assert sorted(head) == sorted(expected)
    assert head[0] == expected[0]
    assert head[-2:] == expected[-2:]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x=1", b"a\nb", b"a\0"])
def test_a_block_injects_nothing(value: bytes) -> None:
    """A value of a block with a control character is refused like any other, and nothing is sent."""
    exchange = Exchange()
    block = FieldBlock([(b"x-first", b"1"), (b"x-second", value)])
    with pytest.raises(RuntimeError):
        ResponseWriter(exchange.cycle).respond(200, [], b"", block).send(None)
    assert exchange.transport.writes == []
