"""A database, a NATS server and the relays between them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from tests.kit.nats_server import NatsServer

from common import audit
from common.db import Database
from common.events.sessions import Logout
from common.ids import DASHBOARD, new_id
from common.outbox import Relay
from common.outbox_publisher import BatchPublisher
from common.testing import context

ROOT = Path(__file__).parents[2]


@dataclass
class Post:
    """A database, a NATS server of the test's own, and connections to both."""

    server: NatsServer
    dsns: dict[str, str]
    tenancy: Database
    relay_db: Database
    nc: Client
    js: JetStreamContext

    async def record(self, *names: str, app_id: str = DASHBOARD) -> None:
        """Commits events with these names, in one transaction."""
        ctx = context(app_id)
        async with self.tenancy.transaction(ctx) as tx:
            for name in names:
                await audit.record(tx, ctx, Logout(session_id=name))

    async def queue(self, *payloads: bytes, app_id: str = DASHBOARD) -> None:
        """Commits rows of the outbox that `audit.record` would never write."""
        async with self.tenancy.transaction(context(app_id)) as tx:
            for payload in payloads:
                await tx.execute(
                    "INSERT INTO audit_outbox (app_id, event_id, event_type, payload)"
                    " VALUES ($1, $2, 'logout', $3)",
                    app_id,
                    new_id(),
                    payload,
                )

    async def waiting(self, app_id: str | None = None) -> int:
        async with self.relay_db.unbound_transaction() as db:
            found: int = await db.fetchval(
                "SELECT count(*) FROM audit_outbox WHERE app_id = coalesce($1, app_id)", app_id
            )
        return found

    async def batch_ids(self) -> list[str | None]:
        """Returns the batch ids of the waiting rows, in their order."""
        async with self.relay_db.unbound_transaction() as db:
            rows = await db.fetch("SELECT batch_id FROM audit_outbox ORDER BY seq")
        return [row["batch_id"] for row in rows]

    async def messages(self) -> list[RawStreamMsg]:
        """Returns the messages on the stream."""
        info = await self.js.stream_info(audit.STREAM)
        first = max(info.state.first_seq, 1)
        return [
            await self.js.get_msg(audit.STREAM, seq)
            for seq in range(first, info.state.last_seq + 1)
        ]

    async def streamed(self, app_id: str | None = None) -> list[str]:
        """Returns the names of the events on the stream, in its order."""
        return [
            event["event_data"]["session_id"]
            for message in await self.messages()
            for event in map(orjson.loads, (message.data or b"").split(b"\n"))
            if app_id in (None, event["app_id"])
        ]

    def new_relay(self) -> Relay:
        return Relay(self.relay_db, BatchPublisher(self.nc, self.js, "tenancy"))

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        relay = self.new_relay()
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def none_waiting(self) -> bool:
        return await self.waiting() == 0

    def die(self, where: str) -> None:
        """Runs dying_relay.py until it is killed by SIGKILL."""
        environment = os.environ | {
            "TENANCY": self.dsns["tenancy"],
            "RELAY": self.dsns["relay"],
            "NATS": self.server.url,
            "PYTHONPATH": os.pathsep.join(["libs", "services", "cli", "."]),
        }
        command = [sys.executable, "-m", "tests.bus.dying_relay", where]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
