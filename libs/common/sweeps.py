"""What has expired is deleted, a little at a time, by every replica in its turn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, LiteralString, TypeAlias

from common import logs
from common.db import Database, run
from common.periodic import FAULTS, run_periodically

log = logs.get(__name__)

EVERY: Final = 600.0
"""Seconds."""
BATCH: Final = 1000
"""Rows; the statements' LIMIT. One without a LIMIT takes all there is."""

Expired: TypeAlias = Mapping[str, LiteralString]
"""The statement that deletes what has expired, by table; run as aero2_sweep."""


async def run_sweeps(sweep_db: Database, expired: Expired) -> None:
    await run_periodically(partial(sweep, sweep_db, expired), every=EVERY, name="sweep")


async def sweep(sweep_db: Database, expired: Expired) -> dict[str, int]:
    """Sweep every table until nothing is left. How many rows went, by table. One that is locked
    does not keep the others."""
    gone: dict[str, int] = {}
    for table, statement in expired.items():
        try:
            count = BATCH
            while count >= BATCH:
                async with sweep_db.everywhere() as db:
                    count = await run(db, statement)
                gone[table] = gone.get(table, 0) + count
        except FAULTS as error:
            log.warning("sweep failed", table=table, error=type(error).__name__)
    return gone
