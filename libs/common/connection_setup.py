"""Opens connections for a pool and prepares them for use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import asyncpg
import orjson

from common.pipelined_connection import PipelinedConnection

CONNECT: Final = 10.0
"""Seconds for the server to accept a connection."""
COMMAND: Final = 10.0
"""Seconds for a statement. Then the connection is closed, and the server ends the statement."""
SETTINGS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    "client_connection_check_interval": "1s",
    "jit": "off",
}
"""Of each session. They never change: only SET LOCAL is used afterwards."""


async def connect_for_pool(
    dsn: str, name: str, siblings: Callable[[], Iterable[PipelinedConnection]]
) -> PipelinedConnection:
    """Opens a connection that keeps its prepared statements. `siblings` returns the
    connections of its pool. Raises what asyncpg raises."""
    connection: PipelinedConnection = await asyncpg.connect(
        dsn,
        timeout=CONNECT,
        command_timeout=COMMAND,
        statement_cache_size=1024,
        max_cached_statement_lifetime=0,
        connection_class=PipelinedConnection,
        server_settings={"application_name": f"aero2-{name}", **SETTINGS},
    )
    connection.siblings = siblings
    try:
        await set_codecs(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def set_codecs(db: asyncpg.Connection[asyncpg.Record]) -> None:
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
