"""A small HTTP/1.1 client on a raw connection. It uses little CPU, so that most of it is left to the
server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass
class Response:
    """The response to one request. The names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """One persistent connection with its cookies. `host` is sent as the Host header, and `sent` counts
    the requests."""

    port: int
    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, **headers: str) -> Response:
        """Sends a GET request. Header names are written with `_` for `-`."""
        return await self._request("GET", path, b"", headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Response:
        """Sends a form."""
        body = urlencode(fields).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return await self._request("POST", path, body, headers)

    async def send(self, method: str, path: str, body: bytes, **headers: str) -> Response:
        """Sends a request with any method and body."""
        return await self._request(method, path, body, headers)

    async def _request(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Response:
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

    async def _read(self, reader: asyncio.StreamReader, head: bytes) -> Response:
        first, *rest = head.decode("latin-1").split("\r\n")
        status, headers = int(first.split(" ")[1]), {}
        for line in filter(None, rest):
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name == "set-cookie":
                self._store_cookie(value)
            headers[name] = value
        if "chunked" in headers.get("transfer-encoding", ""):
            body = await self._read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, headers, body)

    async def _read_chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            body += chunk[:-2]
            if size == 0:
                return body

    def _store_cookie(self, cookie: str) -> None:
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
        """Closes the connection. The next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
