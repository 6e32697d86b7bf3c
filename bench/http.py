"""A small HTTP/1.1 client on a raw connection: cheap, so that the load does not starve the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """One kept-alive connection and one cookie jar. `host` is sent as Host."""

    port: int
    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._ask("GET", path, b"", headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        body = urlencode(fields).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return await self._ask("POST", path, body, headers)

    async def send(self, method: str, path: str, body: bytes, **headers: str) -> Answer:
        return await self._ask(method, path, body, headers)

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if path.startswith("http"):
            parts = urlsplit(path)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        message = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        for attempt in (1, 2):
            reader, writer = await self._open()
            try:
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                self.close()
                if attempt == 2:
                    raise
        self.sent += 1
        return await self._read(reader, head)

    async def _read(self, reader: asyncio.StreamReader, head: bytes) -> Answer:
        first, *rest = head.decode("latin-1").split("\r\n")
        status, found = int(first.split(" ")[1]), {}
        for line in filter(None, rest):
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name == "set-cookie":
                self._keep(value)
            found[name] = value
        if "chunked" in found.get("transfer-encoding", ""):
            body = await self._chunks(reader)
        else:
            body = await reader.readexactly(int(found.get("content-length", 0)))
        if found.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, found, body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            body += chunk[:-2]
            if size == 0:
                return body

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        if not value or "max-age=0" in cookie.lower() or "01 jan 1970" in cookie.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
