"""What has expired is deleted, a little at a time, by every replica in its turn."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import asyncpg

from common import logs
from common.db import Database
from common.problems import Problem
from identity.queries import sweeps

log = logs.get(__name__)

EVERY: Final = 600.0
"""Seconds."""
BATCH: Final = 1000


async def run(platform: Database, every: float = EVERY) -> None:
    while True:
        await asyncio.sleep(every * random.uniform(0.5, 1.0))  # noqa: S311 - replicas take turns
        await once(platform)


async def once(platform: Database) -> dict[str, int]:
    """Sweep every table until nothing is left. How many rows went, by table."""
    gone: dict[str, int] = {}
    for name, sweep in sweeps.ALL.items():
        try:
            count = BATCH
            while count >= BATCH:
                async with platform.everywhere() as db:
                    count = await sweep(db, limit=BATCH)
                gone[name] = gone.get(name, 0) + count
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Problem) as error:
            log.warning("sweep failed", table=name, error=type(error).__name__)
    return gone
