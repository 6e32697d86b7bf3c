"""The metrics of the database servers: standbys and the archive of the WAL, by cluster."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import Final

from common import metrics
from common.periodic import FAULTS, run_periodically
from tenancy.deps import Deps
from tenancy.queries import database_servers
from tenancy.queries.database_servers import ServersRow

MEASURED_EVERY: Final = 15.0
"""Seconds."""
PATIENCE: Final = 5.0
"""Seconds for one cluster."""
_GAUGES: Final = (
    metrics.STANDBY_LAG,
    metrics.SYNCHRONOUS_WANTED,
    metrics.SYNCHRONOUS_STANDBYS,
    metrics.ARCHIVE_FAILING,
)


async def measure_periodically(deps: Deps) -> None:
    """Keeps the metrics of the database servers up to date."""
    metrics.maintain(*_GAUGES)
    await run_periodically(
        partial(export, deps), every=MEASURED_EVERY, name="database", immediately=True
    )


async def export(deps: Deps) -> None:
    """Sets the metrics of all clusters. Those of a cluster that does not answer are NaN, since old ones would
    mislead."""
    await asyncio.gather(*map(_export_one, deps.everywhere()))


async def _export_one(deps: Deps) -> None:
    try:
        async with asyncio.timeout(PATIENCE), deps.upkeep_db.unbound_transaction() as db:
            servers = await database_servers.get(db)
    except FAULTS:
        for gauge in _GAUGES:
            gauge.labels(deps.db.home).set(math.nan)
        return
    _set(deps.db.home, servers)


def _set(cluster: str, servers: ServersRow) -> None:
    metrics.STANDBY_LAG.labels(cluster).set(_or_nan(servers.standby_lag))
    metrics.SYNCHRONOUS_WANTED.labels(cluster).set(servers.synchronous_wanted)
    metrics.SYNCHRONOUS_STANDBYS.labels(cluster).set(_or_nan(servers.synchronous_standbys))
    metrics.ARCHIVE_FAILING.labels(cluster).set(servers.archive_failing)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
