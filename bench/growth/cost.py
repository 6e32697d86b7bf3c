"""What an act costs PostgreSQL: buffers and time of all its statements, by pg_stat_statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import asyncpg

from common.contracts.base import Contract
from common.problems import Problem

REPETITIONS: Final = 5
"""Counted calls, after one that fills caches and makes plans."""

COUNTERS = """
    SELECT coalesce(sum(s.shared_blks_hit + s.shared_blks_read), 0)::bigint AS buffers,
           coalesce(sum(s.total_exec_time), 0)::float8 AS milliseconds,
           coalesce(sum(s.calls), 0)::bigint AS statements
    FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
    WHERE r.rolname LIKE 'aero2\\_%'
"""
SLOWEST = """
    SELECT s.query, s.shared_blks_hit + s.shared_blks_read AS buffers, s.total_exec_time AS ms
    FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
    WHERE r.rolname LIKE 'aero2\\_%'
    ORDER BY buffers DESC LIMIT 1
"""


@dataclass(frozen=True)
class Cost:
    """Buffers that the statements of one act found in memory or read, and their time."""

    buffers: int
    milliseconds: float
    statements: int
    rows: int = 0
    """Rows of the page, if the answer is one."""
    dearest: str = ""
    """The statement with the most buffers."""
    failure: str = ""
    """Why there is no figure: a statement that took too long, for example."""


async def measure(
    owner: asyncpg.Connection[asyncpg.Record], act: Callable[[], Awaitable[object]]
) -> Cost:
    """Returns the median cost of an act. The services' own statements are counted, as the services
    run them: with their role, their application and their plans."""
    try:
        await act()
    except Problem as problem:
        return Cost(0, 0.0, 0, failure=f"{problem.code}: {problem}")
    costs = []
    for _ in range(REPETITIONS):
        await owner.execute("SELECT pg_stat_statements_reset()")
        rows = _rows(await act())
        row = await owner.fetchrow(COUNTERS)
        assert row is not None
        costs.append(Cost(**row, rows=rows))
    dearest = await owner.fetchrow(SLOWEST)
    return Cost(
        buffers=round(median(cost.buffers for cost in costs)),
        milliseconds=median(cost.milliseconds for cost in costs),
        statements=round(median(cost.statements for cost in costs)),
        rows=costs[-1].rows,
        dearest=dearest["query"] if dearest else "",
    )


def _rows(reply: object) -> int:
    """Returns the length of the list in a reply."""
    values = vars(reply).values() if isinstance(reply, Contract) else ()
    return max((len(value) for value in values if isinstance(value, list)), default=0)
