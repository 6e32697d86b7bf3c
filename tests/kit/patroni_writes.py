"""Writes through the product's pool on two nodes under Patroni, recorded and compared with what is there later.

async with patroni_writes() as writes:          # a pair with the whole schema
    async with writes.running():
        ...                                     # kill something
        await writes.more()
    await writes.compare()                      # fails if something acknowledged is lost
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from tests.kit.nats_server import until
from tests.kit.patroni import PatroniPair

from aero2.migrate import ROLES, migrate
from common.db import Database
from common.ids import DASHBOARD, new_id
from common.problems import TooLate, Unavailable
from common.testing import context

ADD: Final = (
    "INSERT INTO audit_outbox (app_id, event_id, event_type, payload) VALUES ($1, $2, 'login', '')"
)
PAUSE: Final = 0.02
"""Seconds between two writes, so that they leave the machine to the servers."""
WITHIN: Final = 120.0
"""Seconds, long enough for a busy machine."""


@dataclass
class PatroniWrites:
    """A pair, a pool of the service tenancy on both nodes, and what it was told."""

    pair: PatroniPair
    db: Database
    acknowledged: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    async def write(self, id: str | None = None, within: float | None = None) -> str:
        """Inserts an event. Returns its id when the write is acknowledged. Raises Unavailable or TooLate, and
        TimeoutError after `within` seconds."""
        id, ctx = id or new_id(), context(DASHBOARD)
        async with asyncio.timeout(within), self.db.transaction(ctx) as tx:
            await tx.execute(ADD, DASHBOARD, id)
        self.acknowledged.append(id)
        return id

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes one event after the other until the context ends."""
        going = True

        async def work() -> None:
            while going:
                try:
                    await self.write()
                except (Unavailable, TooLate) as refusal:
                    self.refused[type(refusal).__name__] += 1
                await asyncio.sleep(PAUSE)

        task = asyncio.create_task(work())
        try:
            await self.more()
            yield
        finally:
            going = False
            await task

    async def more(self, number: int = 20) -> None:
        """Waits until so many more writes are acknowledged."""
        target = len(self.acknowledged) + number
        await until(lambda: len(self.acknowledged) >= target, within=WITHIN)

    async def wait_for(self, condition: Any) -> None:
        """Waits for the pair, and shows Patroni's logs if it takes too long."""
        await asyncio.to_thread(self.pair.wait_for, condition)

    async def whole(self) -> None:
        """Starts and thaws what a test has stopped, and waits for a primary with its synchronous standby."""
        await asyncio.to_thread(self.pair.restore)

    async def compare(self) -> None:
        """Every acknowledged event is on the primary once, and no two events have the same number."""
        rows = await self.fetch("SELECT event_id::text AS id, seq FROM audit_outbox")
        stored = Counter(row["id"] for row in rows)
        assert set(self.acknowledged) - set(stored) == set(), "acknowledged and lost"
        assert len({row["seq"] for row in rows}) == len(rows)

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        """Asks the primary as the superuser. Waits until a node takes writes: Patroni calls a node the primary a
        moment before."""
        owner = await self._owner()
        try:
            rows: list[Any] = await owner.fetch(sql, *values, timeout=60)
        finally:
            owner.terminate()
        return rows

    async def _owner(self) -> Any:
        ends = time.monotonic() + WITHIN
        while True:
            try:
                return await asyncpg.connect(
                    f"{self.pair.dsn()}?target_session_attrs=read-write", timeout=10
                )
            except (OSError, asyncpg.PostgresError, asyncpg.TargetServerAttributeNotMatched):
                assert time.monotonic() < ends
                await asyncio.sleep(0.1)


@asynccontextmanager
async def patroni_writes(**options: Any) -> AsyncIterator[PatroniWrites]:
    """Starts a pair with these options of `PatroniPair.start`, and makes the schema."""
    pair = await asyncio.to_thread(PatroniPair.start, **options)
    try:
        await migrate(pair.dsn("owner"), {role: pair.passwords[role] for role in ROLES})
        db = await Database.connect(pair.dsn("tenancy"), name="test", size=3)
        try:
            yield PatroniWrites(pair, db)
        finally:
            await db.close()
    finally:
        await asyncio.to_thread(pair.stop)
