"""The bare gateway of the floors answers as the product does."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.floor.gateway import HttpConnection, json_response

REQUEST = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"


class Written(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.closing = False

    def write(self, data: Any) -> None:
        self.data += bytes(data)

    def is_closing(self) -> bool:
        return self.closing


async def reply(method: str, body: bytes) -> bytes:
    return f"{method} {len(body)}".encode()


def connect() -> tuple[HttpConnection, Written]:
    connection = HttpConnection({b"/jwks": json_response(b"{}")}, reply)
    written = Written()
    connection.connection_made(written)
    return connection, written


async def test_grants_are_calls_and_documents_are_not() -> None:
    """One connection, four requests, in pieces: each has an answer of its own."""
    connection, written = connect()
    for body in (b"grant_type=client_credentials", b"grant_type=refresh_token&refresh_token=t"):
        message = REQUEST % (len(body), body)
        connection.data_received(message[:30])
        connection.data_received(message[30:])
        await asyncio.sleep(0.01)
    connection.data_received(b"GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.data_received(b"GET /oauth2/authorize?client_id=web HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.01)

    answers = written.data.split(b"HTTP/1.1 ")[1:]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [
        b"client_credentials 29",
        b"refresh 40",
        b"{}",
        b"",
    ]
    assert b"location: authorize 0\r\n" in answers[3]


async def test_nothing_is_written_to_a_client_that_has_left() -> None:
    """The load ends in the middle of requests."""
    connection, written = connect()
    body = b"grant_type=client_credentials"
    connection.data_received(REQUEST % (len(body), body))
    written.closing = True
    await asyncio.sleep(0.01)

    assert written.data == b""
