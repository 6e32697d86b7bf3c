"""One nats-server for the folder, and a bus between two connections of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.bus.probe import Handled
from tests.kit.nats_server import NatsServer, start

from common.bus import NatsBus
from common.bus_server import BusServer
from common.nats_client import NatsClient


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


Serve = Callable[..., Awaitable[BusServer]]


@pytest.fixture
async def serve(far: NatsClient) -> AsyncIterator[Serve]:
    """Serves handlers until the test ends: `await serve({Read: read}, concurrency=1)`."""
    running: list[BusServer] = []

    async def begin(handlers: Handled, **options: Any) -> BusServer:
        made = await BusServer.start(far, "probe", "0.1.0", None, **options)
        for contract, handler in handlers.items():
            await made.add(contract, handler)
        await far.flush()
        running.append(made)
        return made

    yield begin
    for each in running:
        await each.drain(within=0.2)
