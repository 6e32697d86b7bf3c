"""A stand-in for PgBouncer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tests.kit.tcp_proxy import with_hosts

KEY = b"K\x00\x00\x00\x0c"
"""The head of BackendKeyData (PostgreSQL documentation, section 54.7): the process and its secret."""


def error(message: bytes) -> bytes:
    """Returns an ErrorResponse."""
    fields = b"SFATAL\x00C08P01\x00M" + message + b"\x00\x00"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


@contextlib.asynccontextmanager
async def pooler(dsn: str, refusal: bytes = b"") -> AsyncIterator[str]:
    """Runs a stand-in for PgBouncer, which gives its clients process numbers of its own. Yields a DSN."""
    port = urlsplit(dsn).port

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4), "big")
        start = await reader.readexactly(length - 4)
        if len(start) == 4:  # SSLRequest
            writer.write(b"N")
            length = int.from_bytes(await reader.readexactly(4), "big")
            start = await reader.readexactly(length - 4)
        if refusal:
            writer.write(error(refusal))
            writer.close()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        outer.write(length.to_bytes(4, "big") + start)
        await asyncio.gather(pipe(reader, outer), pipe(inner, writer, renumber=True))

    server = await asyncio.start_server(serve, "127.0.0.1")
    yield with_hosts(dsn, server.sockets[0].getsockname()[1])
    server.close()


async def pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, renumber: bool = False
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            if renumber and (at := data.find(KEY)) >= 0:
                data = data[: at + 5] + b"\x00\x00\x00\x07" + data[at + 9 :]
            writer.write(data)
            await writer.drain()
    writer.close()
