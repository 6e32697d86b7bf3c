"""The relay reads as many rows of the outbox however long it is, whether its plans were made while the
outbox was empty or long, without ANALYZE in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.db import Database, Link
from common.ids import DASHBOARD
from common.outbox import FIRST
from common.outbox_batches import Batch, delete, take

A = "01900000-0000-7000-8000-00000000000a"
BACKLOG = 20_000


@pytest.fixture(params=["empty", "long"])
async def relay_db(request: pytest.FixtureRequest, database: dict[str, str]) -> AsyncIterator[Link]:
    """A connection of a relay, which plans its statements while the outbox is empty or long."""
    relay_db = await Database.connect(database["relay"], name="test", size=1)
    owner = await asyncpg.connect(database["owner"])
    if request.param == "empty":
        async with relay_db.unbound_transaction() as db:
            await taken(db)
            await delete(db, service="tenancy", batches=[])
    await owner.execute(
        """
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload, service)
        SELECT app_id, gen_random_uuid(), 'logout', repeat('x', 1000)::bytea, 'tenancy'
        FROM generate_series(1, $1), unnest($2::uuid[]) app_id
        """,
        BACKLOG,
        [A, DASHBOARD],
    )
    await owner.close()
    async with relay_db.unbound_transaction() as db:
        yield db
    await relay_db.close()


async def taken(db: Link, *own: str) -> list[Batch]:
    return await take(db, service="tenancy", start=FIRST, lease=1000, own=own)


async def rows_read(db: Link) -> int:
    """Returns the rows of the outbox that this transaction has read so far."""
    rows: int = await db.fetchval(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE relname = 'audit_outbox'"
    )
    return rows


async def test_a_long_queue_costs_a_batch_nothing(relay_db: Link) -> None:
    """Taking a batch of two applications with 20,000 events each, taking it again after a failure, and
    deleting it read a few rows for each event of the batch."""
    batches = await taken(relay_db)
    after_take = await rows_read(relay_db)
    again = await taken(relay_db, *(batch.id for batch in batches))
    after_retry = await rows_read(relay_db)
    await delete(relay_db, service="tenancy", batches=batches)
    after_delete = await rows_read(relay_db)

    assert [len(batch.rows) for batch in batches] == [50, 50]
    assert again == batches
    assert after_take <= 500
    assert after_retry - after_take <= 500
    assert after_delete - after_retry <= 300
