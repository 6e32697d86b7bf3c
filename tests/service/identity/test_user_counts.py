"""The number of users that match: exact while that is cheap, and marked where it is not."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.users import CountUsers, CreateUser
from identity import user_count

MANY = """
    INSERT INTO users (app_id, id, email, email_normalized, disabled, email_verified)
    SELECT $1, gen_random_uuid(), 'm' || i || '@example.com', 'm' || i || '@example.com',
        i % 10 = 0, i % 2 = 0
    FROM generate_series(1, $2::integer) i
"""


async def count(world: World, **filters: Any) -> tuple[int, str]:
    answer = await world.call(CountUsers(**filters), caller=ADMIN)
    return answer.count, answer.relation


async def test_few_users_are_counted(world: World) -> None:
    """The count is that of the list with the same filters, of this application alone."""
    for number in range(3):
        await world.call(CreateUser(email=f"ada{number}@example.com"), caller=ADMIN)
    await world.call(CreateUser(email="bob@example.com", email_verified=True), caller=ADMIN)
    await world.call(CreateUser(email="ada@example.com"), ADMIN, world.other_app_id)

    assert await count(world) == (4, "exact")
    assert await count(world, search="ada") == (3, "exact")
    assert await count(world, search="ada0@example.com") == (1, "exact")
    assert await count(world, search="nobody") == (0, "exact")
    assert await count(world, email_verified=True) == (1, "exact")
    assert await count(world, email_verified=False) == (3, "exact")
    assert await count(world, disabled=True) == (0, "exact")
    assert await count(world, disabled=False, search="ada") == (3, "exact")


async def test_many_users_are_estimated(world: World) -> None:
    """Beyond 1,000 the statistics answer. A search says that there are at least so many."""
    await world.owner.execute(MANY, world.app_id, 6_000)
    await world.owner.execute("ANALYZE users")
    estimated, relation = await count(world)
    disabled, of_disabled = await count(world, disabled=True)
    found, of_search = await count(world, search="m")

    assert (relation, of_disabled, of_search) == ("estimate", "exact", "at_least")
    assert 4_000 < estimated < 9_000
    assert estimated % 100 == 0
    assert disabled == 600
    assert 0 < found <= user_count.MOST_ROWS


async def test_a_count_reads_few_pages(world: World) -> None:
    """However many users there are, the unfiltered count reads the first thousand of an index."""
    await world.owner.execute(MANY, world.app_id, 8_000)
    await world.owner.execute("ANALYZE users")
    db = await asyncpg.connect(world.dsn("identity"))
    await db.execute(f"SET aero2.app_id = '{world.app_id}'")
    sql = """
        EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
        SELECT count(*) FROM (
            SELECT disabled, email_verified FROM users
            WHERE app_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1001) sample
    """
    plan = json.loads(await db.fetchval(sql, world.app_id))[0]["Plan"]
    await db.close()

    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1_200
    assert "Seq Scan" not in json.dumps(plan)
