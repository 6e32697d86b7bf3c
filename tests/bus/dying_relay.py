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
from typing import Any

import nats

from common import audit, outbox
from common.db import Database
from common.events.sessions import Logout
from common.ids import DASHBOARD
from common.outbox import Relay
from common.outbox_batches import Batch
from common.outbox_publisher import BatchPublisher
from common.testing import context


class HalfPublisher(BatchPublisher):
    """Dies after the first acknowledgement."""

    async def publish(self, batches: list[Batch]) -> Any:
        await super().publish(batches[:1])
        die()


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def die_instead(*_: object, **__: object) -> Any:
    die()


async def committed() -> None:
    db = await Database.connect(os.environ["TENANCY"], name="dying", size=1)
    ctx = context(DASHBOARD)
    async with db.transaction(ctx) as tx:
        await audit.record(tx, ctx, Logout(session_id="committed"))
    die()


async def relaying(where: str) -> None:
    relay_db = await Database.connect(os.environ["RELAY"], name="dying", size=1)
    nc = await nats.connect(os.environ["NATS"])
    kind = HalfPublisher if where == "half" else BatchPublisher
    publisher = kind(nc, nc.jetstream(), "tenancy")
    if where == "batched":
        publisher.publish = die_instead  # type: ignore[method-assign]
    if where == "published":
        outbox.delete = die_instead
    await Relay(relay_db, publisher).run()


if __name__ == "__main__":
    (place,) = sys.argv[1:]
    asyncio.run(committed() if place == "committed" else relaying(place))
