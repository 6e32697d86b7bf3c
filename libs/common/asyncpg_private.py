"""The private members of asyncpg that we use, under public names.

pyproject.toml allows one minor version of asyncpg, and tests/unit/common/test_private_members.py says
which member a new version has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, cast

import asyncpg


class PreparedStatement(Protocol):
    """A statement that the server has prepared for a connection."""

    @property
    def name(self) -> str: ...


class ProtocolConnection(asyncpg.Connection):
    """asyncpg's connection, with access to its protocol and its transport."""

    if TYPE_CHECKING:  # asyncpg has these members; its type stubs leave them out
        _transport: asyncio.Transport
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

    def require_open(self) -> None:
        """Raises asyncpg.InterfaceError if the connection is closed."""
        self._check_open()

    async def prepared_statement(self, sql: str) -> PreparedStatement:
        """Returns the statement from the cache, or prepares it."""
        return await self._get_statement(sql, None)

    def forget_statements(self) -> None:
        """Empties the statement caches of all connections of the pool."""
        self._drop_global_statement_cache()

    def is_cancelling(self) -> bool:
        """Returns whether a cancelled statement has not ended yet."""
        return not self.is_closed() and bool(self._protocol._is_cancelling())

    async def finish_cancellation(self) -> None:
        """Waits until a statement that is being cancelled has ended."""
        if self.is_cancelling():
            await self._protocol._wait_for_cancellation()

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
