"""Sweeps: every replica deletes expired rows from time to time, a few at a time."""

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
"""Rows; the LIMIT of the statements. A statement without a LIMIT deletes all expired rows."""

Expired: TypeAlias = Mapping[str, LiteralString]
"""By table: the statement that deletes expired rows, run as aero2_sweep."""


async def run_sweeps(sweep_db: Database, expired: Expired) -> None:
    """Sweeps all tables periodically, until cancelled."""
    await run_periodically(partial(sweep, sweep_db, expired), every=EVERY, name="sweep")


async def sweep(sweep_db: Database, expired: Expired) -> dict[str, int]:
    """Deletes expired rows of every table until none is left. Returns the number of deleted rows by
    table. A table that is locked does not delay the others."""
    gone: dict[str, int] = {}
    for table, statement in expired.items():
        try:
            count = BATCH
            while count >= BATCH:
                async with sweep_db.unbound_transaction() as db:
                    count = await run(db, statement)
                gone[table] = gone.get(table, 0) + count
        except FAULTS as error:
            log.warning("sweep failed", table=table, error=type(error).__name__)
    return gone
