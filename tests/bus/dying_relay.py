"""A process that is killed at a dangerous moment of the outbox. test_outbox_batches.py runs it.

`committed`: writes an event, commits, and is killed before a relay sees the row. `batched`: its relay has
given the rows their batches, and is killed before it publishes. `half`: it is killed when the stream has
the first of its batches. `published`: when the stream has all, before it deletes the rows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import nats

from common import audit
from common.db import Database
from common.events.sessions import Logout
from common.ids import DASHBOARD
from common.outbox import Relay
from common.outbox_batches import Batch
from common.outbox_publisher import BatchPublisher
from common.testing import context


@dataclass
class DyingPublisher(BatchPublisher):
    """Dies when the stream has acknowledged the first batches."""

    survives: int = 0

    async def publish(self, batches: list[Batch]) -> Any:
        await super().publish(batches[: self.survives])
        die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def committed() -> None:
    db = await Database.connect(os.environ["TENANCY"], name="dying", size=1)
    ctx = context(DASHBOARD)
    async with db.transaction(ctx) as tx:
        await audit.record(tx, ctx, Logout(session_id="committed"))
    die()


async def relaying(survives: int) -> None:
    relay_db = await Database.connect(os.environ["RELAY"], name="dying", size=1)
    nc = await nats.connect(os.environ["NATS"])
    publisher = DyingPublisher(nc, nc.jetstream(), "tenancy", survives=survives)
    await Relay(relay_db, publisher).run()


if __name__ == "__main__":
    (place,) = sys.argv[1:]
    survives = {"batched": 0, "half": 1, "published": 99}
    asyncio.run(committed() if place == "committed" else relaying(survives[place]))
