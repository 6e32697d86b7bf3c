"""The limits of a pool of connections, and its state in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class PoolLimits:
    """The limits of a pool. Times are in seconds."""

    least: int = 1
    """Connections that are opened at the start and never closed for being idle."""
    most: int = 10
    idle: float = 300.0
    """For how long nobody has to use a connection until it is closed."""
    age: float = 1800.0
    """For how long a connection lives. Each lives a little shorter, so that they do not end
    together. A server that came back, or took over, gets its share of connections, and PostgreSQL
    frees what it has cached for a connection."""
    sweep: float = 30.0
    """Between two looks for connections that are too old or too long idle."""


class PoolCounts(NamedTuple):
    """How many connections are used, are idle and may exist, and how many callers wait for one."""

    used: int
    idle: int
    most: int
    waiting: int


@dataclass
class PoolWaits:
    """The callers that found no free connection, since the start."""

    callers: int = 0
    seconds: float = 0.0
    timeouts: int = 0
