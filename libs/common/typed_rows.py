"""Statements with typed results: a query says which row type it returns."""

from __future__ import annotations

from typing import Any, LiteralString, TypeAlias, TypeVar

import asyncpg

from common.autocommit_connection import AutocommitConnection
from common.bound_transaction import BoundTransaction
from common.leased_connection import LeasedConnection

Link: TypeAlias = "BoundTransaction | LeasedConnection | asyncpg.Connection[asyncpg.Record]"
Db: TypeAlias = "Link | AutocommitConnection"
Row = TypeVar("Row")


async def maybe(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row | None:
    """Returns the first row of a statement as `row`, or None."""
    found = await db.fetchrow(sql, *args)
    return row(**found) if found is not None else None


async def one(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> Row:
    """Returns the first row of a statement as `row`. Raises LookupError if there is none."""
    found = await maybe(db, row, sql, *args)
    if found is None:
        raise LookupError("statement returned no row")
    return found


async def many(db: Db, row: type[Row], sql: LiteralString, *args: Any) -> list[Row]:
    """Returns all rows of a statement as `row`."""
    return [row(**found) for found in await db.fetch(sql, *args)]


async def value(db: Db, sql: LiteralString, *args: Any) -> Any:
    """Returns the first column of the first row, or None."""
    return await db.fetchval(sql, *args)


async def run(db: Db, sql: LiteralString, *args: Any) -> int:
    """Executes a statement. Returns the number of rows that it touched."""
    tag = await db.execute(sql, *args)
    return int(tag.rsplit(" ", 1)[-1]) if tag[-1:].isdigit() else 0
