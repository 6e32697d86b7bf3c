"""Refuses a connection pooler between a service and PostgreSQL, such as PgBouncer (docs/adr/0022).

A pooler gives a statement any server process that is free. It keeps neither the settings of our sessions nor
the prepared statement that binds a transaction to its application, or leaves them to others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from common.pipelined_connection import PipelinedConnection

REFUSED: Final = "unsupported startup parameter"
"""PgBouncer's message about a setting that it does not know (error 08P01)."""


class PoolerFound(Exception):
    """The DSN leads to a pooler. The text says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "the database URL leads to a connection pooler such as PgBouncer. "
            "Connect to PostgreSQL directly: each service has a pool of its own."
        )


@asynccontextmanager
async def refusing_poolers() -> AsyncIterator[None]:
    """Raises PoolerFound if a pooler refuses the settings of a connection that is opened here."""
    try:
        yield
    except asyncpg.ProtocolViolationError as error:
        if REFUSED not in str(error):
            raise
        raise PoolerFound from None


async def refuse_pooler(connection: PipelinedConnection) -> None:
    """Raises PoolerFound if the process that executes a statement is not the one that has accepted the
    connection."""
    pid = await connection.fetchval(
        """
        -- any-tenant: reads no table
        SELECT pg_backend_pid()
        """
    )
    if pid != connection.get_server_pid():
        raise PoolerFound
