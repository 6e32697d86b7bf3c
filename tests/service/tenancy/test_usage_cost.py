"""A view of the charts costs the same, however many users and events an application has."""

from __future__ import annotations

from typing import Any

import asyncpg
import orjson
import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common.autocommit_connection import AutocommitConnection
from common.contracts.usage import CountUsage
from tenancy import usage

FILL = (
    """
    INSERT INTO audit_logs (app_id, id, event_type, event_data, created_at)
    SELECT $1, gen_random_uuid(), 'login', '{}', now() - n * interval '3 minutes'
    FROM generate_series(1, 60000) n
    """,
    """
    INSERT INTO usage_counts (app_id, since, sign_ins, sign_ups, failures)
    SELECT $1, date_trunc('day', now()) + interval '1 day' - n * interval '15 minutes', 1000, 10, 10
    FROM generate_series(1, 185 * 96) n
    """,
    """
    INSERT INTO active_user_counts (app_id, unit, since, previous, count)
    SELECT $1, 'day', day, day - age * interval '1 day', 1000
    FROM generate_series(date_trunc('day', now(), 'UTC') - interval '184 days',
                         date_trunc('day', now(), 'UTC'), interval '1 day') AS day,
         generate_series(1, 184) AS age
    """,
    """
    INSERT INTO active_users (app_id, user_id, days)
    SELECT $1, gen_random_uuid(), ARRAY[now()] FROM generate_series(1, 50000)
    """,
)
"""An application with everything that its figures can have, many events and many users."""
MOST = 1_500
"""Buffers of one view of 90 days. The rows of the users alone would be millions."""


@pytest.fixture
async def large(world: World) -> str:
    app = world.app_id = (await world.create_application()).id
    for sql in FILL:
        await world.owner.execute(sql, app)
    await world.owner.execute("ANALYZE usage_counts, active_user_counts, audit_logs")
    return app


async def test_a_view_reads_the_roll_up_alone(
    world: World, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest window reads a bounded number of pages, and nothing of the log or of the users."""
    statements: list[tuple[str, tuple[Any, ...]]] = []
    fetch = AutocommitConnection.fetch

    async def seen(self: Any, sql: str, *args: Any) -> Any:
        statements.append((sql, args))
        return await fetch(self, sql, *args)

    monkeypatch.setattr(AutocommitConnection, "fetch", seen)
    counts = await usage.count(world.tenancy, secret_key_of(large), CountUsage(window="90d"))
    plans = [await plan(world, large, sql, args) for sql, args in statements]

    assert counts.total.sign_ins > 1000
    assert counts.previous is None  # the application is new
    assert len(statements) == 2
    assert not any(
        table in str(each) for each in plans for table in ("audit_logs", "active_users_p")
    )
    assert sum(each["Shared Hit Blocks"] + each["Shared Read Blocks"] for each in plans) < MOST


async def plan(world: World, app: str, sql: str, args: tuple[Any, ...]) -> dict[str, Any]:
    """Returns the plan as the service executes it, with the buffers that it read."""
    db = await asyncpg.connect(
        world.dsn("tenancy"),
        server_settings={"plan_cache_mode": "force_generic_plan", "aero2.app_id": app},
    )
    try:
        (found,) = orjson.loads(
            await db.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *args)
        )
    finally:
        await db.close()
    result: dict[str, Any] = found["Plan"]
    return result
