"""Statements with a span for each. A span names the function whose statement it is, and has neither the
text nor a parameter."""

from __future__ import annotations

import inspect
import re
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import asyncpg

from common import logs, tracing
from common.leased_connection import LeasedConnection
from common.pipelined_messages import COMMIT, Preamble

T = TypeVar("T")

WORD: Final = re.compile(r"(?:\s|--[^\n]*\n)*([A-Za-z]+)")
"""The first word of a statement, after comments."""

BETWEEN: Final = frozenset(
    (
        "common.db",
        "common.typed_rows",
        "common.bound_transaction",
        "common.autocommit_connection",
        __name__,
    )
)
"""Modules between a query and its connection."""
ROLLBACK: Final = "ROLLBACK"


class TracedConnection(LeasedConnection):
    """A connection that records statements of work whose trace is recorded."""

    __slots__ = ()

    def execute(
        self, sql: str, *args: Any, timeout: float | None = None
    ) -> Coroutine[Any, Any, str]:
        """Executes a statement, as LeasedConnection does."""
        return _recorded(sql, super().execute(sql, *args, timeout=timeout))

    def fetch(self, sql: str, *args: Any) -> Coroutine[Any, Any, list[asyncpg.Record]]:
        """Returns all rows."""
        return _recorded(sql, super().fetch(sql, *args))

    def fetchrow(self, sql: str, *args: Any) -> Coroutine[Any, Any, asyncpg.Record | None]:
        """Returns the first row, or None."""
        return _recorded(sql, super().fetchrow(sql, *args))

    def fetchval(self, sql: str, *args: Any) -> Coroutine[Any, Any, Any]:
        """Returns the first column of the first row, or None."""
        return _recorded(sql, super().fetchval(sql, *args))

    def bound(
        self, app_id: str, sql: str, args: tuple[Any, ...], limit: int = 0
    ) -> Coroutine[Any, Any, tuple[list[asyncpg.Record], str]]:
        """Executes a statement as a transaction that is bound to an application."""
        return _recorded(sql, super().bound(app_id, sql, args, limit))

    def pipelined(
        self, preamble: Preamble, sql: str, args: tuple[Any, ...], limit: int = 0
    ) -> Coroutine[Any, Any, tuple[list[asyncpg.Record], str]]:
        """Executes a statement after a preamble. Its span has the number of statements if others were
        deferred to it."""
        statements = len(preamble.deferred) + 1
        return _recorded(sql, super().pipelined(preamble, sql, args, limit), statements)


def _recorded(
    sql: str, execution: Coroutine[Any, Any, T], statements: int = 1
) -> Coroutine[Any, Any, T]:
    if not tracing.is_recorded(logs.trace.get()):
        return execution
    operation = match[1].upper() if (match := WORD.match(sql)) else ""
    name = operation if operation in (COMMIT, ROLLBACK) else _caller()
    attributes: dict[str, str | int] = {
        "db.system.name": "postgresql",
        "db.operation.name": operation,
        "db.query.summary": name,
    }
    if statements > 1:
        attributes["db.operation.batch.size"] = statements
    return _execute(name, attributes, execution)


async def _execute(
    name: str, attributes: dict[str, str | int], execution: Coroutine[Any, Any, T]
) -> T:
    with tracing.client_span(name, attributes):
        return await execution


def _caller() -> str:
    """Returns the function whose statement runs, such as `rbac.queries.roles.get`."""
    frame = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module not in BETWEEN:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "unknown"
