"""The HTTP server. Before it stops, it accepts and serves for a while, and says on each response that the
connection closes. Then it closes its listeners and finishes the open requests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Final

import uvicorn

from gateway.http.asgi import AsgiApp
from gateway.http.response_writer import WholeResponses
from gateway.http.slow_clients import Connection
from gateway.http.uvicorn_private import StoppingState, new_protocol

IDLE_TIME: Final = 5.0
"""Seconds for which a client may still use a connection that it keeps, from the announcement on. Clients that
send less often find the connection closed before they send (RFC 9112 section 9.5)."""
FINISH: Final = 60.0
"""Seconds for the requests that have begun: the longest time limit of a contract."""
HURRY: Final = 3.0
"""The same if the whole platform stops."""


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `common.process_life` stops the process.

    It has no tick either. uvicorn wakes ten times a second to look whether it should exit and to make
    the Date header of the second.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        self._exit = asyncio.Event()
        super().__init__(config)
        self.server_state = self._stopping = StoppingState()

    async def stop(self, lame_duck: float, *, hurry: bool) -> None:
        """Stops after `lame_duck` seconds in which it still accepts and serves, and every response ends its
        connection. With `hurry` at once, and idle connections close at once."""
        self._stopping.stops = True
        for connection in list(self.server_state.connections):
            connection.announce_end()  # type: ignore[union-attr]  # all are Connection
        if not hurry:
            await asyncio.sleep(lame_duck)
            self._stopping.patient = True
            self._stopping.idle_time = max(0.0, IDLE_TIME - lame_duck)
        self.config.timeout_graceful_shutdown = int(HURRY if hurry else FINISH)
        self.should_exit = True

    @property
    def should_exit(self) -> bool:
        """Whether the server stops, or has stopped. Set in the server's own event loop."""
        return self._exit.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._exit.set()
        else:
            self._exit.clear()

    async def main_loop(self) -> None:
        """Serves until `should_exit` is set."""
        await self._exit.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Does nothing. uvicorn would restore the default handlers before the bus is closed, and a second
        SIGTERM would then kill the process."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the listeners, accepts the connections that wait behind them, then drains.

        The system resets connections that are not accepted when the last listener closes.
        """
        queues = [each.dup() for each in sockets or ()]
        for server in self.servers:
            server.close()
        for queue in queues:
            for connection in self._waiting(queue):
                await self._accept(connection)
        await super().shutdown(sockets)

    def _waiting(self, queue: socket.socket) -> list[socket.socket]:
        """Returns the connections that are not accepted yet, and closes the queue."""
        connections: list[socket.socket] = []
        with queue, contextlib.suppress(OSError):
            queue.setblocking(False)
            while len(connections) < self.config.backlog:
                connections.append(queue.accept()[0])
        return connections

    async def _accept(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # the client has left
            await loop.connect_accepted_socket(lambda: new_protocol(self, loop), connection)


def server_of(app: AsgiApp) -> Server:
    """Returns a server for an ASGI application. Its listening socket is passed to `serve`."""
    return Server(
        uvicorn.Config(
            WholeResponses(app),
            interface="asgi3",
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=65_536,
            limit_concurrency=5_000,
            backlog=1024,
        )
    )
