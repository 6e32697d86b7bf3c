"""A transaction that begins with its first statement, and sends with its last what nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, LiteralString

import asyncpg

from common.homes import MAIN
from common.leased_connection import LeasedConnection
from common.pipelined_messages import COMMIT, DeferredStatement, Preamble, text_of


@dataclass(slots=True)
class BoundTransaction:
    """A transaction on a connection, bound to an application if there is an `app_id`.

    BEGIN and the binding go out in the round trip of the first statement; a transaction without statements
    costs none. A deferred statement goes out in the round trip of the next one, or of COMMIT.
    """

    connection: LeasedConnection
    app_id: str | None = None
    home: str = MAIN
    """The cluster."""
    is_registry: bool = False
    """Whether it works on the registry of a deployment with several clusters, beside the applications' homes."""
    carries: bool = False
    """Whether it has written events for the logs of applications with other homes."""
    _begun: bool = False
    _deferred: list[DeferredStatement] = field(default_factory=list)

    async def fetchrow(self, sql: LiteralString, *args: Any) -> asyncpg.Record | None:
        """Returns the first row, or None."""
        if self._begun and not self._deferred:
            return await self.connection.fetchrow(sql, *args)
        rows, _ = await self._pipelined(sql, args, 1)
        return rows[0] if rows else None

    async def fetch(self, sql: LiteralString, *args: Any) -> list[asyncpg.Record]:
        """Returns all rows."""
        if self._begun and not self._deferred:
            return await self.connection.fetch(sql, *args)
        return (await self._pipelined(sql, args))[0]

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        """Returns the first column of the first row, or None."""
        row = await self.fetchrow(sql, *args)
        return row[0] if row is not None else None

    async def execute(self, sql: LiteralString, *args: Any, timeout: float | None = None) -> str:
        """Executes a statement. Returns the command's tag, such as `UPDATE 1`. A statement may take
        `timeout` seconds, by default as long as every other."""
        if args and timeout is None and (self._deferred or not self._begun):
            return (await self._pipelined(sql, args))[1]
        if self._deferred or not self._begun:  # several statements in one text cannot be prepared
            await self._pipelined("SELECT", ())
        return await self.connection.execute(sql, *args, timeout=timeout)

    def defer(self, sql: LiteralString, *args: Any) -> None:
        """Executes a statement together with the next one, or with COMMIT. Its error is raised there.
        Raises TypeError for an argument that has no text."""
        self.connection.require_lease()
        self._deferred.append(DeferredStatement(sql, tuple(map(text_of, args))))

    async def commit(self) -> None:
        """Executes what is deferred, and commits."""
        if self._deferred:
            await self._pipelined(COMMIT, ())
        elif self._begun:
            await self.connection.execute(COMMIT)

    async def rollback(self, within: float) -> None:
        """Ends the transaction without an effect. Raises TimeoutError after `within` seconds."""
        self._deferred.clear()
        if self._begun:
            await self.connection.execute("ROLLBACK", timeout=within)

    def is_closed(self) -> bool:
        """Returns whether the connection is closed, or was returned to its pool."""
        return self.connection.is_closed()

    def terminate(self) -> None:
        """Closes the connection."""
        self.connection.terminate()

    async def _pipelined(
        self, sql: LiteralString, args: tuple[Any, ...], limit: int = 0
    ) -> tuple[list[asyncpg.Record], str]:
        begins, self._begun = not self._begun, True
        deferred, self._deferred = self._deferred, []
        preamble = Preamble(begins, self.app_id if begins else None, deferred)
        return await self.connection.pipelined(preamble, sql, args, limit)
