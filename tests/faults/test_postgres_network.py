"""PostgreSQL is slow, locked, silent, or has no connection left. Requests end in time and fail cleanly, and
everything recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.faults.conftest import Platform
from tests.kit.fault_report import FaultReport
from tests.kit.recorded_load import RecordedLoad

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

REQUESTS = 6
"""Of each kind, while the fault lasts."""


@contextlib.asynccontextmanager
async def under_load(platform: Platform, fault: FaultReport) -> AsyncIterator[RecordedLoad]:
    """Runs a load around a fault. After it, everything works again, nothing is lost, and each request had an
    answer."""
    fault.watch(platform.system)
    load = RecordedLoad(platform.system, history=fault.history)
    await from_memory(platform)
    async with load.running():
        try:
            yield load
        finally:
            platform.network.restore()
            platform.network.reset()
        fault.strike()
        await fault.works_again(load.kinds)
    await load.compare()
    said = {name for seen in load.statuses.values() for name in seen}
    assert said <= {"ok", "429", "503", "504"}, load.statuses
    await fault.settle()


async def from_memory(platform: Platform) -> None:
    """Keys and discovery are answered, whatever the database does, since somebody has asked before."""
    async with platform.system.http("demo", timeout=5) as http:
        for path in ("/.well-known/openid-configuration", "/oauth2/jwks.json"):
            assert (await http.get(path)).status_code == 200


@pytest.mark.fault("F14")
@pytest.mark.parametrize(("delay", "number"), [(0.5, REQUESTS), (5.0, 2)])
async def test_the_database_is_slow(
    platform: Platform, fault: FaultReport, delay: float, number: int
) -> None:
    """Each answer of PostgreSQL takes half a second, or five. Requests succeed late, or get 503 or 504: none
    hangs, and no connection to a client breaks."""
    async with under_load(platform, fault) as load:
        platform.network.delay = delay
        await load.more(number)
        await from_memory(platform)


@pytest.mark.fault("F14")
async def test_the_table_of_users_is_locked(platform: Platform, fault: FaultReport) -> None:
    """A transaction holds the table. Requests that need it get 503 or 504. Keys and discovery need nothing."""
    async with under_load(platform, fault) as load:
        owner = await asyncpg.connect(platform.owner_dsn())
        async with owner.transaction():
            await owner.execute("LOCK TABLE users")
            await load.more(3)
            await from_memory(platform)
        await owner.close()
    assert any(load.statuses["users"][status] for status in ("503", "504"))


@pytest.mark.fault("F14")
async def test_the_database_is_silent(platform: Platform, fault: FaultReport) -> None:
    """Connections stay, and nothing comes back, as from a machine without power. Keys and discovery come from
    memory."""
    async with under_load(platform, fault) as load:
        platform.network.silence()
        await load.more(3)
        await from_memory(platform)
    assert any(load.statuses["users"][status] for status in ("503", "504"))


@pytest.mark.fault("F15")
async def test_no_connection_is_left(platform: Platform, fault: FaultReport) -> None:
    """Others hold all connections of the server, and those of the services are ended. Requests get 503, without
    a deadlock, and work as soon as there are connections again."""
    async with under_load(platform, fault) as load:
        owner = await asyncpg.connect(platform.owner_dsn())
        held: list[asyncpg.Connection[asyncpg.Record]] = []
        for _ in range(3):
            await _hold_all(platform, held)
            await owner.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename LIKE 'aero2_%' AND application_name NOT LIKE 'holder'
                """
            )
        await _hold_all(platform, held)
        await load.more(REQUESTS)
        await asyncio.gather(*(connection.close() for connection in held))
        await owner.close()
    assert load.statuses["users"]["503"] > 0


async def _hold_all(platform: Platform, held: list[asyncpg.Connection[asyncpg.Record]]) -> None:
    """Connects as a service until the server refuses."""
    dsn = platform.postgres.primary.dsn("identity", platform.database)
    with contextlib.suppress(asyncpg.TooManyConnectionsError):
        while True:
            settings = {"application_name": "holder"}
            held.append(await asyncpg.connect(dsn, server_settings=settings))
