"""The HTTP server: it stops accepting first, and then finishes what it has accepted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn

from gateway.http.slow_clients import Connection


class Server(uvicorn.Server):
    """uvicorn without handlers of its own for signals: the process's life is `live`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn's own would put the default back before the bus is closed: a second SIGTERM
        would then kill."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners, accept who was waiting behind them, then drain.

        The system resets connections that nobody has accepted when the last listener closes.
        """
        queues = [each.dup() for each in sockets or ()]
        for server in self.servers:
            server.close()
        for queue in queues:
            for connection in self._waiting(queue):
                await self._accept(connection)
        await super().shutdown(sockets)

    def _waiting(self, queue: socket.socket) -> list[socket.socket]:
        """The connections that nobody has accepted yet; closes the queue behind them."""
        found: list[socket.socket] = []
        with queue, contextlib.suppress(OSError):
            queue.setblocking(False)
            while len(found) < self.config.backlog:
                found.append(queue.accept()[0])
        return found

    async def _accept(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # it has gone
            await loop.connect_accepted_socket(
                lambda: self.config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn's own
                    config=self.config,
                    server_state=self.server_state,
                    app_state=self.lifespan.state,
                    _loop=loop,
                ),
                connection,
            )


def server_of(app: object) -> Server:
    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # uvicorn spells ASGI out as TypedDicts
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=65_536,
            limit_concurrency=5_000,
            backlog=1024,
        )
    )
