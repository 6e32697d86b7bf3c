"""A statement bound to its application in one round trip (docs/adr/0006).

Row level security wants `aero2.app_id` set for the transaction. Asked for one after the other, that is
three round trips: begin and set, the statement, commit. PostgreSQL takes the first two together: what
comes before a Sync message is one transaction, which the Sync commits (protocol 55.2.4, pipelining).
asyncpg sends one request and waits, so the setting's Bind and Execute are written just ahead of
its own, and their answer is taken out of what the server sends back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

import asyncpg

BINDING: Final = "PREPARE aero2_bind (text) AS SELECT set_config('aero2.app_id', $1, true)"
"""Run once on each connection; `true` is SET LOCAL."""
_BIND: Final = b"\x00aero2_bind\x00" + b"\x00\x00" + b"\x00\x01" + b"\x00\x00\x00\x24"
"""Unnamed portal, the statement, no formats, one parameter of 36 bytes: a UUID's text."""
_PREFIX: Final = b"B" + (4 + len(_BIND) + 36 + 2).to_bytes(4, "big") + _BIND
_EXECUTE: Final = b"\x00\x00" + b"E" + (9).to_bytes(4, "big") + b"\x00" + b"\x00\x00\x00\x00"
"""The binding's result as text; then the portal, to its end."""
_DROPPED: Final = b"2DC"
"""BindComplete, DataRow, CommandComplete: what the binding is answered with."""
_COMPLETE: Final = ord("C")
_ERROR: Final = ord("E")
_HEAD: Final = 5
"""Bytes of a message before its content: type and length."""


class BindReplyFilter(asyncio.Protocol):
    """Stands between the transport and asyncpg, and keeps the answers to bindings from it."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.owed = 0
        """Bindings whose answer has not come yet: one at most, by asyncpg's own rule."""
        self._held = b""

    def data_received(self, data: bytes) -> None:
        if self.owed:
            data = self._sieved(self._held + data)
        if data:
            self.inner.data_received(data)

    def _sieved(self, data: bytes) -> bytes:
        """What is not the binding's answer; an incomplete message waits for its end."""
        passed, at = b"", 0
        while self.owed:
            end = at + 1 + int.from_bytes(data[at + 1 : at + _HEAD], "big")
            if len(data) < at + _HEAD or len(data) < end:
                break
            kind = data[at]
            if kind == _ERROR:  # it failed, and the statement with it: asyncpg tells
                self.owed = 0
                break
            if kind == _COMPLETE:
                self.owed -= 1
            if kind not in _DROPPED:  # a notice, a changed parameter
                passed += data[at:end]
            at = end
        if self.owed:
            self._held = data[at:]
            return passed
        self._held = b""
        return passed + data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class Connection(asyncpg.Connection):
    """asyncpg's, which can also run a statement as a transaction of its own, bound to one application."""

    _sieve: BindReplyFilter | None = None
    if TYPE_CHECKING:  # what asyncpg has and its stubs leave out
        _transport: asyncio.Transport
        _protocol: Any
        _check_open: Callable[[], None]
        _get_statement: Callable[[str, float | None], Awaitable[object]]
        _drop_global_statement_cache: Callable[[], None]

    async def bound(
        self, app_id: str, sql: LiteralString, args: tuple[Any, ...], limit: int = 0
    ) -> tuple[list[asyncpg.Record], str]:
        """Rows (all, where `limit` is 0) and the command's tag. `app_id` is a UUID's text.

        Raises what asyncpg raises. Where nothing could be sent, the connection is closed.
        """
        try:
            return await self._once(app_id, sql, args, limit)
        except asyncpg.InvalidCachedStatementError:  # a table has changed; nothing was executed
            self._drop_global_statement_cache()
            return await self._once(app_id, sql, args, limit)

    async def _once(
        self, app_id: str, sql: LiteralString, args: tuple[Any, ...], limit: int
    ) -> tuple[list[asyncpg.Record], str]:
        self._check_open()
        sieve = self._sieve or await self._begin()
        # Prepared beforehand: the Sync of preparing would end the transaction.
        statement = await self._get_statement(sql, None)
        if self._protocol._is_cancelling():
            # asyncpg would wait for the end of the statement before inside `bind_execute`: cut off
            # there, the binding would be on its way without the statement.
            await self._protocol._wait_for_cancellation()
        sieve.owed = 1
        self._transport.write(_PREFIX + app_id.encode("ascii") + _EXECUTE)
        try:
            rows, tag, _ = await self._protocol.bind_execute(statement, args, "", limit, True, None)
        except (asyncio.CancelledError, TimeoutError):
            raise  # asyncpg cancels it at the server and waits for the answer, which the sieve sees
        except BaseException:
            if (
                sieve.owed
            ):  # refused before it was sent: the binding must not meet another statement
                self.terminate()
            raise
        return rows or [], tag.decode() if tag else ""

    async def _begin(self) -> BindReplyFilter:
        try:
            await self.execute(BINDING)
        except BaseException:
            # The server may have prepared it all the same; a second attempt would be refused for
            # as long as the connection lives.
            self.terminate()
            raise
        self._sieve = BindReplyFilter(cast(asyncio.Protocol, self._transport.get_protocol()))
        self._transport.set_protocol(self._sieve)
        return self._sieve
