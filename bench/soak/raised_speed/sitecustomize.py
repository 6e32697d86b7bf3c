"""Runs retention and sweeps at a raised speed, in every Python process that has this folder in PYTHONPATH.

What a deployment keeps for days is deleted after a minute, so that a run of 20 minutes reaches the state
in which as much is deleted as is written. The statements, their order and their locks stay those of the
product.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import common.outbox
import common.periodic
import common.sweeps

KEPT = 60
"""Seconds, instead of days."""
STREAM_KEPT = 120
"""Seconds that the stream keeps a message, and remembers its id."""
EVERY = {"sweep": 10.0, "audit retention": 20.0, "expired guests": 10.0}
"""Seconds between two rounds of these jobs."""

_run_periodically, _sweep = common.periodic.run_periodically, common.sweeps.sweep


async def run_periodically(
    work: Any, *, every: float, name: str, immediately: bool = False
) -> None:
    """Runs these jobs more often. The retention of the audit log, which is at least a day, sees the log
    from a day later."""
    if name == "audit retention":
        work = partial(_retention, work)
    every = EVERY.get(name, every)
    await _run_periodically(work, every=every, name=name, immediately=immediately)


async def _retention(work: Any) -> int:
    return int(await work(now=datetime.now(UTC) + timedelta(days=1, seconds=-KEPT)))


async def sweep(sweep_db: Any, expired: Any) -> dict[str, int]:
    """Deletes what expired a minute ago, instead of days ago."""
    kept = f"interval '{KEPT} seconds'"
    sooner = {
        table: re.sub(r"interval '\d+ (?:day|hour)s?'", kept, statement)
        for table, statement in expired.items()
    }
    return await _sweep(sweep_db, sooner)


common.periodic.run_periodically = common.sweeps.run_periodically = run_periodically
common.sweeps.sweep = sweep
common.outbox.KEPT = common.outbox.WINDOW = STREAM_KEPT  # type: ignore[misc]
