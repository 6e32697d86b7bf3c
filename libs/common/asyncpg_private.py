"""The private members of asyncpg that we use, under public names.

pyproject.toml allows one minor version of asyncpg, and tests/unit/common/test_private_members.py says
which member a new version has changed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import asyncpg

DEAD_SERVER: Final = {
    "TCP_KEEPIDLE": 10,  # seconds without a word, then the kernel asks
    "TCP_KEEPINTVL": 3,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,  # milliseconds for the server to confirm what was sent
}
"""Options of a connection's socket, as far as the system has them."""


class PreparedStatement(Protocol):
    """A statement that the server has prepared for a connection."""

    @property
    def name(self) -> str: ...


class ProtocolConnection(asyncpg.Connection):
    """asyncpg's connection, with access to its protocol and its transport."""

    if TYPE_CHECKING:  # asyncpg has these members; its type stubs leave them out
        _transport: asyncio.Transport
        _aborted: bool
        _protocol: Any
        _check_open: Callable[[], None]
        _get_statement: Callable[[str, float | None], Awaitable[PreparedStatement]]
        _drop_local_statement_cache: Callable[[], None]
        _drop_local_type_cache: Callable[[], None]

    siblings: Callable[[], Iterable[ProtocolConnection]] = list
    """Returns the open connections of the same pool: what one learns about changed tables holds for
    all of them. asyncpg would ask its own pool."""

    def _drop_global_statement_cache(self) -> None:
        for connection in {self, *self.siblings()}:
            connection._drop_local_statement_cache()

    def _drop_global_type_cache(self) -> None:
        for connection in {self, *self.siblings()}:
            connection._drop_local_type_cache()

    def _cancel_current_command(
        self, waiter: asyncio.Future[None], cancel_waiter: asyncio.Future[None] | None = None
    ) -> None:
        """Closes the connection when a statement is cancelled or takes too long (docs/adr/0022).

        asyncpg would send a CancelRequest. If that meets a COMMIT that waits for a synchronous
        standby, the commit becomes visible without being replicated, and a failover loses it. The
        server notices the closed connection within a second (`client_connection_check_interval`), and
        ends what runs. It does not end a COMMIT.
        """
        self._aborted = True  # closed for our pool from now on
        self._transport.abort()

    def notice_a_dead_server(self) -> None:
        """Lets the kernel end the connection if the server does not confirm what it gets. Otherwise a
        machine that lost its power is noticed after a quarter of an hour."""
        server_socket = self._transport.get_extra_info("socket")
        if server_socket is None or server_socket.family not in (socket.AF_INET, socket.AF_INET6):
            return
        server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in DEAD_SERVER.items():
            if (option := getattr(socket, name, None)) is not None:
                server_socket.setsockopt(socket.IPPROTO_TCP, option, value)

    def require_open(self) -> None:
        """Raises asyncpg.InterfaceError if the connection is closed."""
        self._check_open()

    async def prepared_statement(self, sql: str) -> PreparedStatement:
        """Returns the statement from the cache, or prepares it."""
        return await self._get_statement(sql, None)

    def forget_statements(self) -> None:
        """Empties the statement caches of all connections of the pool."""
        self._drop_global_statement_cache()

    async def execute_statement(
        self, statement: PreparedStatement, args: tuple[Any, ...], limit: int
    ) -> tuple[list[asyncpg.Record], bytes | None]:
        """Executes a prepared statement. Returns at most `limit` rows (0: all) and the command's
        tag."""
        rows, tag, _ = await self._protocol.bind_execute(statement, args, "", limit, True, None)
        return rows or [], tag

    def write_bytes(self, data: bytes) -> None:
        """Writes to the server without telling asyncpg."""
        self._transport.write(data)

    def protocol(self) -> asyncio.Protocol:
        """Returns what the transport hands received bytes to."""
        return cast(asyncio.Protocol, self._transport.get_protocol())

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        """Lets the transport hand received bytes to another protocol."""
        self._transport.set_protocol(protocol)
