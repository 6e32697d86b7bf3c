"""Runs a statement that is bound to its application, in one round trip (docs/adr/0006).

Row level security needs `aero2.app_id` to be set for the transaction. One after the other, that takes
three round trips: begin and set, the statement, commit. PostgreSQL accepts the first two together:
everything before a Sync message is one transaction, which the Sync commits (PostgreSQL documentation,
section 55.2.4, pipelining). asyncpg sends one request and waits. So the Bind and Execute of the setting are
written just ahead of its own, and their reply is removed from what the server sends back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, LiteralString

import asyncpg

from common.asyncpg_private import ProtocolConnection

BINDING: Final = "PREPARE aero2_bind (text) AS SELECT set_config('aero2.app_id', $1, true)"
"""Prepared once on each connection. `true` means SET LOCAL."""
_BIND: Final = b"\x00aero2_bind\x00" + b"\x00\x00" + b"\x00\x01" + b"\x00\x00\x00\x24"
"""Unnamed portal, the statement, no formats, one parameter of 36 bytes: a UUID's text."""
_PREFIX: Final = b"B" + (4 + len(_BIND) + 36 + 2).to_bytes(4, "big") + _BIND
_EXECUTE: Final = b"\x00\x00" + b"E" + (9).to_bytes(4, "big") + b"\x00" + b"\x00\x00\x00\x00"
"""The result of the binding as text; then the portal is executed to its end."""
_BIND_REPLY: Final = b"2DC"
"""BindComplete, DataRow, CommandComplete: the reply to a binding."""
_COMPLETE: Final = ord("C")
_ERROR: Final = ord("E")
_HEAD: Final = 5
"""Bytes of a message before its content: type and length."""


class BindReplyFilter(asyncio.Protocol):
    """Stands between the transport and asyncpg, and keeps the replies to bindings from asyncpg."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.pending = 0
        """Bindings without a reply yet: one at most, since asyncpg runs one statement at a time."""
        self._incomplete = b""

    def data_received(self, data: bytes) -> None:
        """Passes on what is not the reply to a binding."""
        if self.pending:
            data = self._without_replies(self._incomplete + data)
        if data:
            self.inner.data_received(data)

    def _without_replies(self, data: bytes) -> bytes:
        """Returns what is not part of a reply to a binding. Keeps an incomplete message for later."""
        passed, start = b"", 0
        while self.pending:
            end = start + 1 + int.from_bytes(data[start + 1 : start + _HEAD], "big")
            if len(data) < start + _HEAD or len(data) < end:
                break
            kind = data[start]
            if kind == _ERROR:  # the binding failed, and so does the statement: asyncpg reports it
                self.pending = 0
                break
            if kind == _COMPLETE:
                self.pending -= 1
            if kind not in _BIND_REPLY:  # a notice, a changed parameter
                passed += data[start:end]
            start = end
        if self.pending:
            self._incomplete = data[start:]
            return passed
        self._incomplete = b""
        return passed + data[start:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Passes on the end of the connection."""
        self.inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Passes on the end of the stream."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Passes on that the transport's buffer is full."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Passes on that the transport's buffer has room."""
        self.inner.resume_writing()


class PipelinedConnection(ProtocolConnection):
    """asyncpg's connection, which can also run one statement as a transaction bound to an
    application."""

    _filter: BindReplyFilter | None = None
    _running = False
    """Whether a bound statement runs."""

    def unfit(self) -> str | None:
        """Returns why the next user must not get the connection, or None.

        asyncpg's pool would spend a round trip on RESET ALL. Nothing but SET LOCAL is ever set, so it
        is enough that no transaction is open and no statement runs.
        """
        if self._running or (self._filter is not None and self._filter.pending):
            return "a statement still runs"
        if self.is_in_transaction():
            return "a transaction is open"
        return None

    async def bound(
        self, app_id: str, sql: LiteralString, args: tuple[Any, ...], limit: int = 0
    ) -> tuple[list[asyncpg.Record], str]:
        """Executes a statement. Returns at most `limit` rows (0: all) and the command's tag. `app_id` is
        the text of a UUID.

        Raises what asyncpg raises. Closes the connection if nothing could be sent.
        """
        if self._running:  # a second binding would get the reply to the first
            raise asyncpg.InterfaceError("another statement runs on this connection")
        self._running = True
        try:
            return await self._execute_bound(app_id, sql, args, limit)
        except asyncpg.InvalidCachedStatementError:  # a table has changed; nothing was executed
            self.forget_statements()
            return await self._execute_bound(app_id, sql, args, limit)
        finally:
            self._running = False

    async def _execute_bound(
        self, app_id: str, sql: LiteralString, args: tuple[Any, ...], limit: int
    ) -> tuple[list[asyncpg.Record], str]:
        self.require_open()
        replies = self._filter or await self._install_filter()
        # Prepared first, because the Sync of preparing would end the transaction.
        statement = await self.prepared_statement(sql)
        replies.pending = 1
        self.write_bytes(_PREFIX + app_id.encode("ascii") + _EXECUTE)
        try:
            rows, tag = await self.execute_statement(statement, args, limit)
        except (asyncio.CancelledError, TimeoutError):
            raise  # the connection is closed
        except BaseException:
            if (
                replies.pending
            ):  # refused before it was sent: no other statement may get the binding
                self.terminate()
            raise
        return rows, tag.decode() if tag else ""

    async def _install_filter(self) -> BindReplyFilter:
        try:
            await self.execute(BINDING)
        except BaseException:
            # The server may have prepared the statement nevertheless. It would refuse a second
            # attempt for as long as the connection lives.
            self.terminate()
            raise
        self._filter = BindReplyFilter(self.protocol())
        self.set_protocol(self._filter)
        return self._filter
