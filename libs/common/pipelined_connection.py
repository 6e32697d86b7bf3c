"""Runs a statement together with what has to go ahead of it, in one round trip (docs/adr/0006).

Row level security needs `aero2.app_id` to be set for the transaction. One after the other, that takes
three round trips: begin and set, the statement, commit. PostgreSQL accepts them together: everything before
a Sync message is one transaction, which the Sync commits, unless a BEGIN is among it (PostgreSQL
documentation, section 55.2.4, pipelining). asyncpg sends one request and waits. So the messages of a
`Preamble` are written just ahead of its own, and their replies are removed from what the server sends back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, LiteralString

import asyncpg

from common.asyncpg_private import ProtocolConnection
from common.pipelined_messages import BINDING, Preamble

_REPLY: Final = b"2DC"
"""BindComplete, DataRow, CommandComplete: the reply to a statement of a preamble."""
_COMPLETE: Final = ord("C")
_ERROR: Final = ord("E")
_HEAD: Final = 5
"""Bytes of a message before its content: type and length."""


class PreambleReplyFilter(asyncio.Protocol):
    """Stands between the transport and asyncpg, and keeps the replies to preambles from asyncpg."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.pending = 0
        """Statements of the preamble without a reply yet. There is one preamble at most, since asyncpg runs
        one statement at a time."""
        self._incomplete = b""

    def data_received(self, data: bytes) -> None:
        """Passes on what is not the reply to a preamble."""
        if self.pending:
            data = self._without_replies(self._incomplete + data)
        if data:
            self.inner.data_received(data)

    def _without_replies(self, data: bytes) -> bytes:
        """Returns what is not part of a reply to a preamble. Keeps an incomplete message for later."""
        passed, start = b"", 0
        while self.pending:
            end = start + 1 + int.from_bytes(data[start + 1 : start + _HEAD], "big")
            if len(data) < start + _HEAD or len(data) < end:
                break
            kind = data[start]
            if (
                kind == _ERROR
            ):  # so the statement is skipped, and asyncpg reports the error as its own
                self.pending = 0
                break
            if kind == _COMPLETE:
                self.pending -= 1
            if kind not in _REPLY:  # a notice, a changed parameter
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

    _filter: PreambleReplyFilter | None = None
    binding: str = BINDING
    """The statement that prepares the binding."""
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
        """Executes a statement as a transaction that is bound to an application. Returns at most `limit`
        rows (0: all) and the command's tag. `app_id` is the text of a UUID.

        Raises what asyncpg raises. Closes the connection if nothing could be sent.
        """
        preamble = Preamble(app_id=app_id)
        try:
            return await self.pipelined(preamble, sql, args, limit)
        except asyncpg.InvalidCachedStatementError:  # nothing was executed
            return await self.pipelined(preamble, sql, args, limit)

    async def pipelined(
        self, preamble: Preamble, sql: LiteralString, args: tuple[Any, ...], limit: int = 0
    ) -> tuple[list[asyncpg.Record], str]:
        """Executes a statement after a preamble, in the same round trip. Returns what `bound` returns. An
        error of the preamble is raised as that of the statement, which is not executed then."""
        if self._running:  # a second preamble would get the replies to the first
            raise asyncpg.InterfaceError("another statement runs on this connection")
        self._running = True
        try:
            return await self._execute_after(preamble, sql, args, limit)
        except asyncpg.InvalidCachedStatementError:  # a table has changed
            self.forget_statements()
            raise
        finally:
            self._running = False

    async def _execute_after(
        self, preamble: Preamble, sql: LiteralString, args: tuple[Any, ...], limit: int
    ) -> tuple[list[asyncpg.Record], str]:
        self.require_open()
        replies = self._filter or await self._install_filter()
        # Prepared first, because the Sync of preparing would end the transaction.
        names = [(await self.prepared_statement(text)).name for text in preamble.statements()]
        statement = await self.prepared_statement(sql)
        messages = preamble.encoded(names)
        replies.pending = preamble.replies()
        self.write_bytes(messages)
        try:
            rows, tag = await self.execute_statement(statement, args, limit)
        except (asyncio.CancelledError, TimeoutError):
            raise  # the connection is closed
        except BaseException:
            if (
                replies.pending
            ):  # refused before it was sent: no other statement may get the preamble
                self.terminate()
            raise
        return rows, tag.decode() if tag else ""

    async def _install_filter(self) -> PreambleReplyFilter:
        try:
            await self.execute(self.binding)
        except BaseException:
            # The server may have prepared the statement nevertheless. It would refuse a second
            # attempt for as long as the connection lives.
            self.terminate()
            raise
        self._filter = PreambleReplyFilter(self.protocol())
        self.set_protocol(self._filter)
        return self._filter
