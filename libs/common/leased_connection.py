"""A connection while a caller may use it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import asyncpg

from common.pipelined_connection import PipelinedConnection
from common.pipelined_messages import Preamble


class LeasedConnection:
    """A connection of a pool, until it is returned. Then each call raises InterfaceError: the
    connection may be in use for another application."""

    __slots__ = ("_connection",)

    def __init__(self, connection: PipelinedConnection) -> None:
        self._connection: PipelinedConnection | None = connection

    def end(self) -> None:
        """Ends the use of the connection."""
        self._connection = None

    def require_lease(self) -> None:
        """Raises InterfaceError if the connection was returned to its pool."""
        self._open()

    def _open(self) -> PipelinedConnection:
        if self._connection is None:
            raise asyncpg.InterfaceError("the connection was returned to its pool")
        return self._connection

    def execute(
        self, sql: str, *args: Any, timeout: float | None = None
    ) -> Coroutine[Any, Any, str]:
        """Executes a statement. Returns the command's tag, such as `UPDATE 1`. A statement may take
        `timeout` seconds, by default as long as every other."""
        return self._open().execute(sql, *args, timeout=timeout)

    def fetch(self, sql: str, *args: Any) -> Coroutine[Any, Any, list[asyncpg.Record]]:
        """Returns all rows."""
        return self._open().fetch(sql, *args)

    def fetchrow(self, sql: str, *args: Any) -> Coroutine[Any, Any, asyncpg.Record | None]:
        """Returns the first row, or None."""
        return self._open().fetchrow(sql, *args)

    def fetchval(self, sql: str, *args: Any) -> Coroutine[Any, Any, Any]:
        """Returns the first column of the first row, or None."""
        return self._open().fetchval(sql, *args)

    def bound(
        self, app_id: str, sql: str, args: tuple[Any, ...], limit: int = 0
    ) -> Coroutine[Any, Any, tuple[list[asyncpg.Record], str]]:
        """Executes a statement as a transaction that is bound to an application."""
        return self._open().bound(app_id, sql, args, limit)

    def pipelined(
        self, preamble: Preamble, sql: str, args: tuple[Any, ...], limit: int = 0
    ) -> Coroutine[Any, Any, tuple[list[asyncpg.Record], str]]:
        """Executes a statement after a preamble, in the same round trip."""
        return self._open().pipelined(preamble, sql, args, limit)

    def is_closed(self) -> bool:
        """Returns whether the connection is closed, or was returned to its pool."""
        return self._connection is None or self._connection.is_closed()

    def terminate(self) -> None:
        """Closes the connection. Does nothing if it was returned to its pool."""
        if self._connection is not None:
            self._connection.terminate()
