"""An HTTP/1.1 client that forgives nothing: it never sends a request twice, so each break is counted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

ANSWER_TIME = 30.0
TOO_BUSY = b"not enough time left to start"
"""What a service says to a call that has arrived, but late. A lost call has another problem."""


class Lost(Exception):
    """A request had no whole response."""


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class StrictClient:
    """A client of one host. It keeps its connection for as long as the server does, or never (`keeps`
    unset). Before each request it looks whether the server has ended the connection, as clients do."""

    port: int
    host: str
    keeps: bool = True
    connections: int = 0
    """How many it has opened."""
    _open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, str] | None = None,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Returns the response. Raises Lost if there is none, or only a part."""
        body = (
            urlencode(form).encode() if form else json.dumps(content).encode() if content else b""
        )
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.host}", f"content-length: {len(body)}"]
        lines += [f"content-type: {kind}"] if body else []
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [] if self.keeps else ["connection: close"]
        try:
            async with asyncio.timeout(ANSWER_TIME):
                reader, writer = await self._connection()
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                answer = await self._read(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            raise Lost(f"{method} {path}: {type(error).__name__} {error}") from error
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await asyncio.sleep(0)  # lets the loop see an end that has arrived
        if self._open is not None and self._open[0].at_eof():
            self.close()
        if self._open is None:
            self._open = await asyncio.open_connection("127.0.0.1", self.port)
            self.connections += 1
        return self._open

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *fields = head.strip().split("\r\n")
        pairs = (each.split(": ", 1) for each in fields)
        headers = {name.lower(): value for name, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, body)

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


@dataclass
class Tally:
    """What the clients of a load have seen."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    refused: int = 0
    """Requests that a service refused untouched, because the machine was too busy to begin them in time."""

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(self.statuses.values()) + len(self.failures) + self.refused

    def add(self, kind: str, answer: Answer, wanted: int) -> None:
        """Counts a response. Any other status than the one that is wanted is a failure."""
        if answer.status == wanted:
            self.statuses[kind, answer.status] += 1
        elif TOO_BUSY in answer.body:
            self.refused += 1
        else:
            self.failures.append(f"{kind}: {answer.status} {answer.body[:200]!r}")
