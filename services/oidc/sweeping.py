"""Takes away what has expired, a table at a time."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import asyncpg

from common import logs
from common.problems import Problem
from oidc.deps import Deps
from oidc.queries import sweeping

log = logs.get(__name__)

EVERY: Final = 600.0
"""Seconds; every replica does it, at times of its own."""


async def run(deps: Deps) -> None:
    while True:
        await asyncio.sleep(EVERY * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the load
        await once(deps)


async def once(deps: Deps) -> int:
    """The rows taken away. One table that is locked does not keep the others."""
    gone = 0
    for statement in sweeping.STATEMENTS:
        try:
            async with deps.platform.everywhere() as db:
                gone += await sweeping.delete(db, statement)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Problem) as error:
            log.warning("sweep waits", error=type(error).__name__)
    return gone
