"""Errors of asyncpg, and the Problems that they become."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Final

import asyncpg

from common import pipelined_connection
from common.homes import NOT_AT_HOME
from common.problems import Busy, Outdated, Unavailable

FAILURES: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""All that asyncpg raises."""


def violated_constraint(error: asyncpg.IntegrityConstraintViolationError) -> str:
    """Returns the name of the violated constraint as db/schema.sql has it. Postgres names a
    partition's own key (`users_app_id_email_key_p07`) and numbers the foreign keys of partitions
    (`…_fkey_4`)."""
    return re.sub(r"_p?\d+$", "", error.constraint_name or "")


_GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # the server's last message came without a request
)
_OVERLOADED = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.DiskFullError,
)


def translated(error: Exception, db: Any) -> Exception:
    """Returns the Problem for a database that is away or overloaded, and any other error as it is."""
    if isinstance(error, _OVERLOADED):
        return Busy("the database is busy", retry_after=1)
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate == NOT_AT_HOME:
        return Busy(
            "the application is being moved, or was found in the wrong place", retry_after=1
        )
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # asyncpg has forgotten them by now
        return Outdated("the database is being changed", retry_after=1)
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):  # a standby since a failover
        db.terminate()
        return connection_lost(error)
    if isinstance(error, OSError) and not _of_driver(error.__traceback__):
        return error  # of a file or the bus, which a transaction may use, too
    if isinstance(error, _GONE) or (isinstance(error, asyncpg.InterfaceError) and _closed(db)):
        return connection_lost(error)
    return error


def _of_driver(trace: TracebackType | None) -> bool:
    """Returns whether the error passed through asyncpg, or through our part of its protocol."""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "asyncpg" or module == pipelined_connection.__name__:
            return True
        trace = trace.tb_next
    return False


def _closed(db: Any) -> bool:
    try:
        return bool(db.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken it back already
        return True


def connection_lost(error: BaseException) -> Unavailable:
    """Returns the Problem for a database that is away."""
    return Unavailable(f"the database is not reachable ({type(error).__name__})", retry_after=1)
