"""Opens connections for a pool and prepares them for use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
import orjson

from common import logs
from common.database_hosts import DatabaseHosts
from common.database_url import DatabaseServer
from common.db_errors import FAILURES
from common.pipelined_connection import PipelinedConnection
from common.version import VERSION

log = logs.get(__name__)
C = TypeVar("C")

CONNECT: Final = 10.0
"""Seconds for the only server to accept a connection."""
CONNECT_ONE: Final = 2.0
"""Seconds for one of several servers. Then the next one is tried."""
AWAY: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""Errors of a server that is away, full, or of another kind. Others say what is wrong with the DSN."""
REFUSED: Final = asyncpg.InvalidAuthorizationSpecificationError
"""The server refuses the role or its password (SQLSTATE class 28)."""
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
    server: DatabaseServer, name: str, siblings: Callable[[], Iterable[PipelinedConnection]]
) -> PipelinedConnection:
    """Opens a connection that keeps its prepared statements. `siblings` returns the
    connections of its pool. Raises what asyncpg raises."""
    connection = await _log_in(server, name)
    connection.siblings = siblings
    try:
        connection.notice_a_dead_server()
        await set_codecs(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _log_in(server: DatabaseServer, name: str) -> PipelinedConnection:
    """Connects with the first password that the server accepts. If it accepts none, looks once more which ones
    are configured: a password may be replaced at this moment (docs/adr/0026)."""
    for last in (False, True):
        logins = server.logins()
        for login in logins:
            try:
                connection = await _connect_to_one(server, login, name)
            except REFUSED as error:
                if last and login == logins[-1]:
                    raise
                log.info("password refused", name=name, error=type(error).__name__)
            else:
                server.accepted(login)
                return connection
    raise ValueError("no login is configured")


async def _connect_to_one(server: DatabaseServer, dsn: str, name: str) -> PipelinedConnection:
    return await connect_to_writer(server.hosts(dsn), partial(_connect, dsn, name))


async def connect_to_writer(hosts: DatabaseHosts, connect: Callable[..., Awaitable[C]]) -> C:
    """Connects to the first server that accepts: of several, the one that takes writes, unless the DSN
    asks for another kind. `connect` gets the options of asyncpg for one server. Raises the error of one of
    them."""
    order = hosts.in_order()
    if len(order) < 2:
        return await connect(timeout=CONNECT)
    target: dict[str, Any] = {} if hosts.names_target else {"target_session_attrs": "read-write"}
    errors: list[Exception] = []
    for host in order:
        try:
            connection = await connect(
                host=host.name, port=host.port, timeout=CONNECT_ONE, **target
            )
        except FAILURES as error:
            errors.append(error)
        else:
            hosts.prefer(host)
            return connection
    raise next((error for error in errors if not isinstance(error, AWAY)), errors[-1])


async def _connect(dsn: str, name: str, **options: Any) -> PipelinedConnection:
    connection: PipelinedConnection = await asyncpg.connect(
        dsn,
        command_timeout=COMMAND,
        statement_cache_size=1024,
        max_cached_statement_lifetime=0,
        connection_class=PipelinedConnection,
        server_settings={"application_name": f"aero2-{name}/{VERSION}", **SETTINGS},
        **options,
    )
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
