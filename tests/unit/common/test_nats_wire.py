"""The NATS client protocol as bytes: a stream may be cut anywhere, and may be hostile."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import BadHeaderError, BadSubjectError, ProtocolError
from nats.protocol import command

from common.nats_wire import (
    MAX_LINE,
    MAX_MESSAGE,
    Frame,
    Parser,
    header_block,
    parse_headers,
    publish_frame,
)

SUBJECTS = st.text("abz.019_-$*>", min_size=1, max_size=30).map(str.encode)
NAMES = st.text("abzABZ019-_.", min_size=1, max_size=12)
VALUES = st.text(st.characters(codec="utf-8"), max_size=40)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4)
LOOKS_LIKE_PROTOCOL = st.sampled_from(
    [
        b"\r\n",
        b"PING\r\n",
        b"MSG a 1 5\r\n",
        b"HMSG a 1 9 9\r\n",
        b"-ERR 'x'\r\n",
        b"\r",
        b"\n",
        b"",
    ]
)
PAYLOADS = st.lists(st.binary(max_size=20) | LOOKS_LIKE_PROTOCOL, max_size=4).map(b"".join)
LINES = st.sampled_from([b"PING", b"PONG", b"+OK", b"-ERR 'Slow Consumer'", b'INFO {"ldm":true}'])


@st.composite
def messages(draw: st.DrawFn) -> Frame:
    headers = draw(st.none() | HEADERS)
    return (
        draw(st.integers(0, 10**9)),
        draw(SUBJECTS),
        draw(st.just(b"") | SUBJECTS),
        b"" if headers is None else header_block(headers),
        draw(PAYLOADS),
    )


def encoded(frame: Frame) -> bytes:
    """What a server sends for a frame."""
    if isinstance(frame, bytes):
        return frame + b"\r\n"
    sid, subject, reply, headers, payload = frame
    words = [b"HMSG" if headers else b"MSG", subject, b"%d" % sid, *([reply] if reply else [])]
    sizes = [len(headers), len(headers) + len(payload)] if headers else [len(payload)]
    line = b" ".join([*words, *(b"%d" % size for size in sizes)])
    return line + b"\r\n" + headers + payload + b"\r\n"


def parsed(chunks: list[bytes]) -> tuple[list[Frame], bool]:
    """The frames of a stream that arrives in these pieces, and whether it broke."""
    parser = Parser()
    frames: list[Frame] = []
    try:
        for chunk in chunks:
            for frame in parser.feed(chunk):
                frames.append(frame)  # noqa: PERF402 - those before an error count
    except ProtocolError:
        return frames, True
    return frames, False


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(at)]


@given(st.lists(messages() | LINES, max_size=6), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_stream_is_the_same_wherever_it_is_cut(frames: list[Frame], places: list[int]) -> None:
    """Every frame arrives whole, once and in order, whatever its payload looks like."""
    stream = b"".join(encoded(frame) for frame in frames)

    assert parsed(cut(stream, places)) == (frames, False)


def test_a_stream_is_the_same_cut_at_every_byte() -> None:
    """Once before each byte, and with each byte alone."""
    block = header_block({"Context": "{}"})
    frames: list[Frame] = [
        b'INFO {"server_id":"x"}',
        (1, b"a.b", b"_INBOX.x.1", b"", b"MSG a.b 1 3\r\nabc\r\n"),
        (2, b"a", b"", block, b"\r\n"),
        b"PING",
        (3, b"a", b"r", block, b""),
        (4, b"a", b"", b"", b""),
        b"-ERR 'Permissions Violation'",
        (5, b"a", b"", b"NATS/1.0 503\r\n\r\n", b""),
    ]
    stream = b"".join(encoded(frame) for frame in frames)

    assert parsed([bytes([each]) for each in stream]) == (frames, False)
    for place in range(len(stream)):
        assert parsed([stream[:place], stream[place:]]) == (frames, False), place


HOSTILE = {
    "an unknown verb": b"HELLO\r\n",
    "a verb of a client": b"PUB a 0\r\n\r\n",
    "lower case": b"msg a 1 0\r\n\r\n",
    "an empty line": b"\r\n",
    "only blanks": b"  \r\n",
    "too few words": b"MSG a 0\r\n\r\n",
    "too many words": b"MSG a 1 r r 0\r\n\r\n",
    "headers without their size": b"HMSG a 1 12\r\nNATS/1.0\r\n\r\n\r\n",
    "no number as id": b"MSG a x 0\r\n\r\n",
    "a negative id": b"MSG a -1 0\r\n\r\n",
    "a negative size": b"MSG a 1 -2\r\n\r\n",
    "a size with a sign": b"MSG a 1 +0\r\n\r\n",
    "a size with an underscore": b"MSG a 1 1_0\r\n0123456789\r\n",
    "a size in hexadecimal": b"MSG a 1 0x1\r\na\r\n",
    "an endless number": b"MSG a 1 " + b"9" * 5000 + b"\r\n",
    "more than a message can have": b"MSG a 1 %d\r\n" % (MAX_MESSAGE + 1),
    "headers longer than the message": b"HMSG a 1 20 12\r\nNATS/1.0\r\n\r\n\r\n",
    "headers of no bytes": b"HMSG a 1 0 2\r\nab\r\n",
    "a payload longer than it says": b"MSG a 1 2\r\nabc\r\n",
    "a payload shorter than it says": b"MSG a 1 4\r\nabc\r\nPING\r\n",
    "a line without end": b"INFO " + b"x" * MAX_LINE,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_stream_ends_where_it_breaks(case: str) -> None:
    """What came before counts, nothing after it does, and no cut helps."""
    stream = b"PING\r\n" + HOSTILE[case] + b"PONG\r\n"
    places = range(len(stream)) if len(stream) < 100 else (3, 10, 20, len(stream) - 3)

    for place in places:
        assert parsed([stream[:place], stream[place:]]) == ([b"PING"], True), place


def test_a_large_message_is_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in a thousand pieces is joined and searched when it is whole, not with every piece."""
    begun: list[int] = []
    keep = Parser._keep

    def counted(self: Parser, rest: bytes, missing: int) -> None:
        begun.append(missing)
        keep(self, rest, missing)

    monkeypatch.setattr(Parser, "_keep", counted)
    stream = b"MSG a 1 1000000\r\n" + b"x" * 1_000_000 + b"\r\n"
    pieces = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]

    assert parsed(pieces) == ([(1, b"a", b"", b"", b"x" * 1_000_000)], False)
    assert begun == [len(stream) - 1000]


@given(HEADERS)
def test_headers_arrive_as_they_were_sent(headers: dict[str, str]) -> None:
    """But for blanks around a value, and line breaks, which become blanks: a value cannot add a header."""
    expected = {
        name: value.replace("\r", " ").replace("\n", " ").encode().strip().decode()
        for name, value in headers.items()
    }

    assert (parse_headers(header_block(headers)) or {}) == expected


BLOCKS = [
    b"NATS/1.0\r\na: b\r\n\r\n",
    b"NATS/1.0\r\na:b\r\nc:\td \r\n\r\n",
    b"NATS/1.0\r\na: b\r\na: c\r\n\r\n",
    b"NATS/1.0\r\n\xff: b\r\nc: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\nno colon\r\ntwo words: x\r\n: y\r\nz: \r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 10\r\nNats-Last-Stream: 14\r\n\r\n",
    b"NATS/1.0\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("block", BLOCKS)
async def test_headers_are_read_as_nats_py_reads_them(block: bytes) -> None:
    """JetStream's messages are read by nats-py, all others here."""
    theirs = await Client()._process_headers(block)
    theirs = {name: value for name, value in (theirs or {}).items() if name}

    assert (parse_headers(block) or {}) == theirs


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä", "a\0"])
def test_a_name_of_a_header_is_a_token(name: str) -> None:
    """Any other name could add a header or end the block."""
    with pytest.raises(BadHeaderError):
        header_block({name: "x"})


@given(SUBJECTS, st.just(b"") | SUBJECTS, st.none() | HEADERS, PAYLOADS)
def test_a_message_is_sent_as_nats_py_sends_it(
    subject: bytes, reply: bytes, headers: dict[str, str] | None, payload: bytes
) -> None:
    """The same bytes as its own commands."""
    names = subject.decode(), reply.decode()
    block = None if headers is None else header_block(headers)
    theirs = (
        command.pub_cmd(*names, payload)
        if block is None
        else command.hpub_cmd(*names, block, payload)
    )

    assert publish_frame(*names, block, payload) == theirs


@pytest.mark.parametrize(
    "names", [("", ""), ("a b", ""), ("a\r\nPING", ""), ("a", "b\nc"), ("a", " ")]
)
def test_a_subject_cannot_end_its_line(names: tuple[str, str]) -> None:
    """Else a caller could send commands of their own."""
    with pytest.raises(BadSubjectError):
        publish_frame(*names, None, b"")
