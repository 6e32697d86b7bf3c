"""Connections of commands to a database whose DSN an operator has written."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import asyncpg

from aero2.migration_steps import Connection
from common.connection_setup import connect_to_writer
from common.database_hosts import DatabaseHosts

UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""Errors of `connect` if no server takes writes, or none accepts the login."""


async def connect(dsn: str, **options: Any) -> Connection:
    """Connects, of several servers, to the one that takes writes, unless the DSN asks for another kind: after a
    failover it may be any of them. Raises UNREACHABLE, and ClientConfigurationError for a bad DSN."""
    try:
        hosts = DatabaseHosts(dsn)
    except ValueError as error:  # a port that is no number
        raise asyncpg.ClientConfigurationError(str(error)) from None
    connection: Connection = await connect_to_writer(
        hosts, partial(asyncpg.connect, dsn, **options)
    )
    return connection
