"""Prepares connections of a pool for use, and checks them when they come back."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

AnyConnection: TypeAlias = (
    "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
)


async def check_no_transaction(db: AnyConnection) -> None:
    """Raises InterfaceError if a connection comes back inside a transaction.

    asyncpg would spend a round trip on RESET ALL. Nothing but SET LOCAL is ever set, so it is enough
    that no transaction is open.
    """
    if db.is_in_transaction():
        raise asyncpg.InterfaceError("connection returned inside a transaction")


async def set_codecs(db: AnyConnection) -> None:
    """Lets a connection read and write UUIDs as text, and JSON by orjson."""
    await db.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    for kind in ("jsonb", "json"):
        await db.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            format="text",
        )
