"""A connection that commits each statement by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import asyncpg

from common.leased_connection import LeasedConnection


@dataclass(frozen=True, slots=True)
class AutocommitConnection:
    """A connection on which each statement is a transaction of its own, in one round trip."""

    connection: LeasedConnection
    app_id: str

    async def fetchrow(self, sql: LiteralString, *args: Any) -> asyncpg.Record | None:
        """Returns the first row, or None."""
        rows, _ = await self.connection.bound(self.app_id, sql, args, 1)
        return rows[0] if rows else None

    async def fetch(self, sql: LiteralString, *args: Any) -> list[asyncpg.Record]:
        """Returns all rows."""
        return (await self.connection.bound(self.app_id, sql, args))[0]

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        """Returns the first column of the first row, or None."""
        row = await self.fetchrow(sql, *args)
        return row[0] if row is not None else None

    async def execute(self, sql: LiteralString, *args: Any) -> str:
        """Executes a statement. Returns the command's tag, such as `UPDATE 1`."""
        return (await self.connection.bound(self.app_id, sql, args))[1]
