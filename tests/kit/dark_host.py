"""A machine that loses its power: it keeps its connections, and answers nothing any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class DarkHost:
    """A proxy in front of a server. When it is `dark`, it accepts connections and passes nothing on."""

    target: int
    port: int = 0
    dark: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what one connection sends and gets."""
        self.accepted += 1
        if self.dark.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pipe(reader, outer), self._pipe(inner, writer))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65_536):
                if self.dark.is_set():
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
        if not self.dark.is_set():
            writer.close()


@contextlib.asynccontextmanager
async def dark_host(dsn: str) -> AsyncIterator[DarkHost]:
    """Runs the proxy in front of the server of a DSN."""
    host = DarkHost(urlsplit(dsn).port or 5432)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        host._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError, OSError):  # the server may be away
            await host.serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1")
    host.port = server.sockets[0].getsockname()[1]
    yield host
    server.close()
    for task in host._tasks:
        task.cancel()
    await asyncio.gather(*host._tasks, return_exceptions=True)


def with_hosts(dsn: str, *ports: int) -> str:
    """Returns the DSN with servers at these ports of the loopback address."""
    parts = urlsplit(dsn)
    user = parts.netloc.partition("@")[0]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return parts._replace(netloc=f"{user}@{hosts}").geturl()
