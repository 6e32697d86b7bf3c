"""One nats-server for the folder, and a bus between two connections of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.bus.nats_platform import platform as platform
from tests.bus.probe import Handled
from tests.kit.nats_server import NatsServer, start, until
from tests.kit.outbox_post import Post

from common import audit
from common.bus import NatsBus
from common.bus_server import BusServer
from common.db import Database
from common.in_process_bus import SharedProcess
from common.nats_client import NatsClient
from common.outbox import ensure_stream


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    running = start(tmp_path_factory.mktemp("nats"))
    yield running
    running.stop()


@pytest.fixture
async def near(server: NatsServer) -> AsyncIterator[NatsClient]:
    """The connection of the calling side."""
    nc = await server.connect(inbox_prefix="_INBOX_near")
    yield nc
    await nc.close()


@pytest.fixture
async def far(server: NatsServer) -> AsyncIterator[NatsClient]:
    """The connection of the serving side."""
    nc = await server.connect(inbox_prefix="_INBOX_far")
    yield nc
    await nc.close()


@pytest.fixture
def bus(near: NatsClient) -> NatsBus:
    return NatsBus(near)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that the tests of a module may stop."""
    running = start(tmp_path_factory.mktemp("outbox"))
    yield running
    running.stop()


@pytest.fixture
async def post(own_server: NatsServer, database: dict[str, str]) -> AsyncIterator[Post]:
    """A fresh database and a fresh stream."""
    tenancy = await Database.connect(database["tenancy"], name="test", size=2)
    relay_db = await Database.connect(database["relay"], name="test-relay", size=4)
    nc = await own_server.connect()
    js = nc.jetstream(timeout=2)
    await ensure_stream(js)
    yield Post(own_server, database, tenancy, relay_db, nc, js)
    if own_server.process is None:
        own_server.launch()
    await until(lambda: nc.is_connected)
    await js.delete_stream(audit.STREAM)
    await nc.close()
    await tenancy.close()
    await relay_db.close()


@pytest.fixture
def process() -> SharedProcess:
    """The process of an InProcessBus. Whatever `serve` serves is in it."""
    return SharedProcess()


Serve = Callable[..., Awaitable[BusServer]]


@pytest.fixture
async def serve(far: NatsClient, process: SharedProcess) -> AsyncIterator[Serve]:
    """Serves handlers until the test ends: `await serve({Read: read}, concurrency=1)`."""
    running: list[BusServer] = []

    async def begin(handlers: Handled, **options: Any) -> BusServer:
        made = await BusServer.start(far, "probe", "0.1.0", None, **options)
        for contract, handler in handlers.items():
            await made.add(contract, handler)
        await far.flush()
        process.add(made)
        running.append(made)
        return made

    yield begin
    for each in running:
        await each.drain(within=0.2)
