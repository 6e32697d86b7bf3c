"""The NATS client protocol as bytes: parses what a server sends, writes what a client publishes.

Nothing here waits or knows a connection.
https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from nats.errors import BadHeaderError, BadSubjectError, ProtocolError
from nats.js.api import Header

MAX_LINE: Final = 64 * 1024
"""Bytes of a control line and its end. The longest ones are INFO of a large cluster."""
MAX_MESSAGE: Final = 65 * 1024 * 1024
"""Bytes of headers and payload: the largest `max_payload` of nats-server, and room for the headers that
JetStream adds."""
OTHERS: Final = frozenset({b"INFO", b"PING", b"PONG", b"+OK", b"-ERR"})
"""The control lines of a server that bring no message."""
CRLF: Final = b"\r\n"
VERSION: Final = b"NATS/1.0"
STATUS: Final = Header.STATUS.value
DESCRIPTION: Final = Header.DESCRIPTION.value
HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
LINE_BREAKS: Final = str.maketrans("\r\n", "  ")
MOST_REMEMBERED: Final = 64

_header_names: set[str] = set()
"""The names of headers that were checked. There are a handful."""

Message: TypeAlias = tuple[int, bytes, bytes, bytes, bytes]
"""Subscription id, subject, reply subject, headers and payload of MSG and HMSG."""
Frame: TypeAlias = Message | bytes
"""A message, or the control line of anything else."""


class Parser:
    """Splits a stream of bytes into frames. The stream may be cut anywhere."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._missing = 0
        """Bytes without which the buffered ones cannot hold a whole frame."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields the frames that are complete now. Raises ProtocolError for bytes that no server sends.
        The stream cannot be continued after that."""
        if self._chunks:
            self._chunks.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        position, size = 0, len(data)
        while position < size:
            end = data.find(CRLF, position, position + MAX_LINE)
            if end < 0:
                if size - position >= MAX_LINE:
                    raise ProtocolError("a control line is too long")
                self._keep(data[position:], 1)
                return
            words = data[position:end].split()
            verb = words[0] if words else b""
            if verb == b"MSG" or verb == b"HMSG":
                header_size, total = _sizes(verb, words)
                start, end = end + 2, end + 2 + total
                if end + 2 > size:
                    self._keep(data[position:], end + 2 - size)
                    return
                if data[end : end + 2] != CRLF:
                    raise ProtocolError("a message does not end where it says")
                body = start + header_size
                reply = words[3] if len(words) == (6 if header_size else 5) else b""
                yield int(words[2]), words[1], reply, data[start:body], data[body:end]
            elif verb in OTHERS:
                yield data[position:end]
            else:
                raise ProtocolError("an unknown control line")
            position = end + 2

    def _keep(self, rest: bytes, missing: int) -> None:
        self._chunks = [rest]
        self._missing = missing


def _sizes(verb: bytes, words: list[bytes]) -> tuple[int, int]:
    """Returns the bytes of the headers, and of headers and payload together. The lines are
    `MSG <subject> <sid> [reply-to] <bytes>` and
    `HMSG <subject> <sid> [reply-to] <header bytes> <total bytes>`."""
    sized = 1 if verb == b"MSG" else 2
    if len(words) not in (sized + 3, sized + 4):
        raise ProtocolError("a malformed message line")
    if not (words[2].isdigit() and words[-1].isdigit() and words[-sized].isdigit()):
        raise ProtocolError("a number of a message line is none")
    if len(words[2]) + len(words[-1]) + len(words[-sized]) > 60:
        raise ProtocolError("a number of a message line is too large")
    total = int(words[-1])
    header_size = int(words[-2]) if sized == 2 else 0
    if total > MAX_MESSAGE or header_size > total or (sized == 2 and not header_size):
        raise ProtocolError("a message of an impossible size")
    return header_size, total


def parse_headers(block: bytes) -> dict[str, str] | None:
    """Returns the headers of a message; the status line of a message from the server itself becomes
    `Status` and `Description`. Like nats-py, it leaves out malformed names and replaces bytes that are
    not UTF-8. None if there are no headers."""
    if not block:
        return None
    lines = block.split(CRLF)
    headers: dict[str, str] = {}
    if len(lines[0]) > len(VERSION):
        status = lines[0][len(VERSION) :].strip().decode("utf-8", "replace")
        code, _, description = status.partition(" ")
        if code.isdigit():
            headers[STATUS] = code
        if description:
            headers[DESCRIPTION] = description
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.isascii() and len(name.split()) == 1:
            headers[name.strip().decode()] = value.strip().decode("utf-8", "replace")
    return headers or None


def header_block(headers: Mapping[str, str]) -> bytes:
    """Returns headers as they are sent. Line breaks in a value become spaces. Raises BadHeaderError for a
    name that is no token (RFC 9110 section 5.6.2)."""
    block = "NATS/1.0\r\n"
    for name, value in headers.items():
        if name not in _header_names:
            _check_header_name(name)
        if "\r" in value or "\n" in value:  # `translate` alone takes a hundred times as long
            value = value.translate(LINE_BREAKS)
        block += (
            name + ": " + value + "\r\n"
        )  # in an f-string, nats-py's enumerations say their own names
    return f"{block}\r\n".encode()


def _check_header_name(name: str) -> None:
    """Raises BadHeaderError. Remembers a name that is valid."""
    if not HEADER_NAME.fullmatch(name):
        raise BadHeaderError(name)
    if len(_header_names) < MOST_REMEMBERED:
        _header_names.add(name)


def publish_frame(subject: str, reply: str, block: bytes | None, payload: bytes) -> bytes:
    """Returns PUB, or HPUB for a message with headers. Raises BadSubjectError for a subject that could
    end the line."""
    if not subject or not (_is_one_word(subject) and _is_one_word(reply)):
        raise BadSubjectError
    if block is None:
        line = f"PUB {subject} {reply} {len(payload)}\r\n".encode()
        return b"".join((line, payload, CRLF))
    line = f"HPUB {subject} {reply} {len(block)} {len(block) + len(payload)}\r\n".encode()
    return b"".join((line, block, payload, CRLF))


def _is_one_word(subject: str) -> bool:
    """Returns whether a subject has nothing that ends a word of a control line."""
    return not (" " in subject or "\t" in subject or "\r" in subject or "\n" in subject)
