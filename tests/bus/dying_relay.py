"""A process that is killed at a dangerous moment of the outbox. test_outbox.py runs it.

`committed`: writes an event, commits, and is killed before a relay sees the row. `published`: its
relay publishes, gets the acknowledgement, and is killed before it deletes the row.
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
from common.testing import context


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def committed() -> None:
    db = await Database.connect(os.environ["TENANCY"], name="dying", size=1)
    ctx = context(DASHBOARD)
    async with db.transaction(ctx) as tx:
        await audit.record(tx, ctx, Logout(session_id="committed"))
    die()


async def published() -> None:
    async def instead(*_: Any, **__: Any) -> None:
        die()

    outbox._done = instead
    relay_db = await Database.connect(os.environ["RELAY"], name="dying", size=1)
    nc = await nats.connect(os.environ["NATS"])
    await Relay(relay_db, nc, nc.jetstream(), "tenancy").run()


if __name__ == "__main__":
    asyncio.run({"committed": committed, "published": published}[sys.argv[1]]())
