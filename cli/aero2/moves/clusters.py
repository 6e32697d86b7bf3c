"""The connections of a move: a superuser's, to each of its clusters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from aero2 import cluster_names
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from common.connection_setup import set_codecs
from common.homes import MAIN

NAME: Final = "aero2-move"
"""The application_name of the sessions."""
PATIENCE: Final = 10.0
"""Seconds to connect."""
SETTINGS: Final = {
    "application_name": NAME,
    "client_connection_check_interval": "2s",
    "lock_timeout": "10s",
    # Two clusters give a row the same text.
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "public",
    "jit": "off",
}
PRIMARY: Final[dict[str, Any]] = {"target_session_attrs": "read-write"}
QUIET: Final = """
    SELECT set_config('log_statement', 'none', false), set_config('log_min_duration_statement', '-1', false),
           set_config('log_min_error_statement', 'panic', false),
           set_config('auto_explain.log_min_duration', '-1', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'on' WHEN 'local' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""
"""Nothing that a move sends stands in the log. Its commits survive a crash and a failover."""
LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""A server that is away."""


class ClusterAway(CommandError):
    """A cluster cannot be reached. The move can go on when it is back."""

    def __init__(self, cluster: str, why: BaseException) -> None:
        super().__init__(f"The database of {cluster} cannot be reached: {type(why).__name__}.")
        self.cluster = cluster


@asynccontextmanager
async def connected(
    urls: Mapping[str, str], names: list[str], *, may_be_away: bool = False
) -> AsyncIterator[dict[str, Connection]]:
    """Opens a connection to each of these clusters. Without those that are away if they `may_be_away`, but
    `main` has to be there. Raises CommandError."""
    async with AsyncExitStack() as stack:
        clusters: dict[str, Connection] = {}
        for name in dict.fromkeys(names):
            try:
                clusters[name] = await open_connection(urls, name)
            except ClusterAway:
                if name == MAIN or not may_be_away:
                    raise
                continue
            stack.callback(clusters[name].terminate)
        yield clusters


async def open_connection(urls: Mapping[str, str], name: str) -> Connection:
    """Connects to one cluster. Raises ClusterAway, and CommandError for the database of another cluster and for
    a role that is no superuser."""
    try:
        db: Connection = await asyncpg.connect(
            urls[name], timeout=PATIENCE, server_settings=SETTINGS, **PRIMARY
        )
    except LOST as error:
        raise ClusterAway(name, error) from None
    except asyncpg.PostgresError as error:
        raise CommandError(f"The database of {name} refuses the connection: {error}.") from None
    try:
        if refusal := await cluster_names.refusal(db, name):
            raise CommandError(refusal)
        if not await db.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            raise CommandError(
                f"The owner's URL of {name} has to be that of a superuser: logical replication and row level "
                "security need one."
            )
        await db.execute(QUIET)
        await set_codecs(db)
    except BaseException:
        db.terminate()
        raise
    return db


def for_replication(url: str) -> str:
    """Returns the DSN by which the target reaches the source: of several hosts, it takes the primary."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.setdefault("target_session_attrs", "read-write")
    query.setdefault("connect_timeout", "10")
    return urlunsplit(parts._replace(query=urlencode(query, safe="/,")))
