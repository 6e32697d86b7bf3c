"""Opens the pool of a database role in one cluster."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from common import logs
from common.cluster_admission import ClusterAdmission
from common.cluster_settings import ClusterMistake
from common.connection_pool import ConnectionPool
from common.connection_poolers import refuse_pooler, refusing_poolers
from common.connection_setup import connect_for_pool
from common.database_url import DatabaseServer
from common.db_errors import FAILURES
from common.homes import MAIN
from common.pipelined_connection import PipelinedConnection
from common.pipelined_messages import BINDING_AT
from common.pool_limits import PoolLimits

log = logs.get(__name__)

PATIENCE: Final = 5.0
"""Seconds for a cluster beside `main`, at the start."""


async def open_pool(
    url: SecretStr | str,
    name: str,
    size: int,
    *,
    home: str,
    admission: ClusterAdmission | None,
    is_registry: bool,
) -> ConnectionPool[PipelinedConnection]:
    """Opens a pool. With an `admission`, there are several clusters: another than `main` may be away, and then
    connections are opened when they are needed. Raises what asyncpg raises, PoolerFound and ClusterMistake."""
    server = DatabaseServer(url)

    # `aero2 apps move` asks the sessions of a cluster whether they know that there are several.
    is_named = admission is None or name.endswith(f"-{home}")
    session_name = name if is_named else f"{name}-{home}"

    async def connect() -> PipelinedConnection:
        connection = await connect_for_pool(server, session_name, pool.connections)
        if admission is not None:
            if not is_registry:
                connection.binding = BINDING_AT % home
            await admission.admit(connection, home)
        return connection

    least = 1 if home == MAIN else 0
    pool = ConnectionPool(connect, PoolLimits(least=least, most=size), server.was_replaced)
    try:
        if await _is_reachable(pool, home):
            await refuse_pooler(pool.connections()[0])
    except BaseException as error:
        pool.terminate()
        if isinstance(error.__cause__, ClusterMistake):
            raise error.__cause__ from None
        raise
    return pool


async def _is_reachable(pool: ConnectionPool[PipelinedConnection], home: str) -> bool:
    """Opens the first connection. Returns False for a cluster that is away, unless it is `main`."""
    async with refusing_poolers():
        await pool.open()
        if home == MAIN:
            return True
        try:
            pool.release(await pool.acquire(PATIENCE))
        except FAILURES as error:
            if isinstance(error.__cause__, ClusterMistake):
                raise
            log.warning("cluster away", home=home, error=type(error).__name__)
            return False
    return True
