"""A network between a client and a server that is slow, silent or cut.

async with tcp_proxy(dsn) as proxy:     # or a port
    proxy.delay = 0.5                   # each answer of the server comes half a second later
    proxy.silence()                     # connections stay, and nothing passes: a machine without power
    proxy.silence(Way.TO_CLIENT)        # half open: the server hears, and is not heard
    proxy.restore()
    proxy.target = other; proxy.reset() # connections break, new ones go to another server
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit


class Way(StrEnum):
    """A direction."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


@dataclass
class TcpProxy:
    """A listener on loopback that passes on to the port `target`."""

    target: int
    port: int = 0
    delay: float = 0.0
    """Seconds before what the server has sent is passed on."""
    silent: set[Way] = field(default_factory=set)
    accepted: int = 0
    _connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    def silence(self, *ways: Way) -> None:
        """Passes on nothing any more, in both directions or in those. Connections stay."""
        self.silent |= set(ways or Way)

    def restore(self) -> None:
        """New connections work again. Those that were silenced stay silent, since bytes are missing."""
        self.silent.clear()
        self.delay = 0.0

    def reset(self) -> None:
        """Breaks all connections."""
        for task, writer in list(self._connections.items()):
            writer.transport.abort()
            task.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what one connection sends and gets."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        outer: asyncio.StreamWriter | None = None
        try:
            if self.silent >= set(Way):
                await asyncio.Event().wait()
            inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(
                self._pipe(reader, outer, Way.TO_SERVER), self._pipe(inner, writer, Way.TO_CLIENT)
            )
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or the test ends the connection
        finally:
            for end in (writer, outer):
                if end is not None:
                    end.transport.abort()
            del self._connections[task]

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        while data := await reader.read(65_536):
            if way is Way.TO_CLIENT and self.delay:
                await asyncio.sleep(self.delay)
            if way in self.silent:
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def tcp_proxy(target: str | int) -> AsyncIterator[TcpProxy]:
    """Runs a proxy in front of a port, or of the server of a DSN."""
    port = target if isinstance(target, int) else urlsplit(target).port or 5432
    proxy = TcpProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1")
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        tasks = list(proxy._connections)
        proxy.reset()
        await asyncio.gather(*tasks, return_exceptions=True)


def with_hosts(dsn: str, *ports: int) -> str:
    """Returns the DSN with servers at these ports of the loopback address."""
    parts = urlsplit(dsn)
    user = parts.netloc.partition("@")[0]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return parts._replace(netloc=f"{user}@{hosts}").geturl()
