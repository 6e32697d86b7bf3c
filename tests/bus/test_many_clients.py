"""The only NATS server is restarted under hundreds of clients, each of which has caches that must be empty then."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Server
from nats.aio.msg import Msg
from tests.kit.nats_server import start, until

from common.nats_client import NatsClient
from common.nats_reconnect import FIRST_WAIT, ReconnectPlan
from common.stale_cache import StaleCache

CLIENTS = 300
READERS = 10
"""Requests of each client that need the same value at once."""


@dataclass
class Client:
    """A connection as `common.connections` makes it, with a cache that is emptied when it is lost and back."""

    nc: NatsClient = field(default_factory=NatsClient)
    plan: ReconnectPlan = field(default_factory=ReconnectPlan)
    cache: StaleCache[str] = field(default_factory=lambda: StaleCache("x", 9, ttl=60, stale=60))
    waits: list[float] = field(default_factory=list)
    """Before each attempt."""
    loads: int = 0
    heard: int = 0

    async def connect(self, url: str) -> None:
        await self.nc.connect(
            url,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]
            reconnect_to_server_handler=self._next,
            disconnected_cb=self._lost,
            reconnected_cb=self._back,
            error_cb=self._ignore,
        )
        await self.nc.subscribe("all", cb=self._hear)
        await self.nc.flush()

    async def read(self) -> str:
        return await self.cache.fetch(("app", "value"), self._load)

    async def _load(self) -> str:
        self.loads += 1
        await asyncio.sleep(0)
        return "value"

    def _next(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
        server, wait = self.plan.next(servers, info)
        self.waits.append(wait)
        return server, wait

    async def _lost(self) -> None:
        self.plan.begin(self.nc.server)
        self.waits.clear()
        self.cache.clear()

    async def _back(self) -> None:
        self.cache.clear()

    async def _hear(self, _: Msg) -> None:
        self.heard += 1

    async def _ignore(self, _: Exception) -> None:
        """Refused connections are expected."""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_clients_come_back_apart_and_load_once(tmp_path: Path) -> None:
    """First attempts fill the whole time over which they are spread, and no tenth of it has many more than its
    share. Each client waits longer before its next attempts. All come back with their subscriptions. What they had in
    memory is loaded once by each that needs it, and by none before somebody asks."""
    server = await asyncio.to_thread(start, tmp_path)
    clients = [Client() for _ in range(CLIENTS)]
    try:
        await asyncio.gather(*(client.connect(server.url) for client in clients))
        await asyncio.gather(*(client.read() for client in clients))
        server.stop()
        await until(lambda: all(len(client.waits) >= 4 for client in clients))
        await asyncio.to_thread(server.launch)
        await until(lambda: all(client.nc.is_connected for client in clients))
        assert [client.loads for client in clients] == [1] * CLIENTS
        await asyncio.gather(*(client.read() for client in clients for _ in range(READERS)))
        assert [client.loads for client in clients] == [2] * CLIENTS
        await clients[0].nc.publish("all", b"")
        await until(lambda: all(client.heard for client in clients))
        waits = [list(client.waits) for client in clients]
    finally:
        await asyncio.gather(*(client.nc.close() for client in clients))
        server.stop()

    tenths = Counter(int(first / FIRST_WAIT * 10) for first, *_ in waits)
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) < CLIENTS / 5
    later = [wait for each in waits for wait in each[2:]]
    assert min(later) > FIRST_WAIT
    assert len({round(wait, 6) for wait in later}) > len(later) * 0.9
    assert [client.heard for client in clients] == [1] * CLIENTS
