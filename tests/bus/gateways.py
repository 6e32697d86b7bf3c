"""A service and several gateways, each with its own connection, to measure when invalidations
arrive.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tests.kit.nats_server import NatsServer

from common.bus import Handlers, NatsBus
from common.bus_server import BusServer
from common.caches import Cache
from common.invalidation import NatsInvalidation
from common.nats_client import NatsClient

T = TypeVar("T")
G = TypeVar("G", bound="Listening[Any]")


@dataclass
class Listening(Generic[T]):
    """The cache of a gateway, which forgets an entry after an invalidation message."""

    bus: NatsBus
    invalidation: NatsInvalidation
    cache: Cache[T]


@asynccontextmanager
async def gateways(server: NatsServer, kind: type[G], number: int) -> AsyncIterator[list[G]]:
    async with AsyncExitStack() as stack:
        made = []
        for n in range(number):
            nc = await stack.enter_async_context(_connected(server, f"_INBOX_{n}"))
            gateway = kind(NatsBus(nc), NatsInvalidation(nc), Cache("kept", 100, ttl=60))
            gateway.invalidation.listeners.append(gateway.cache.drop)
            await gateway.invalidation.listen()
            await nc.flush()
            made.append(gateway)
        yield made


@asynccontextmanager
async def answering(
    server: NatsServer,
    name: str,
    deps: Callable[[NatsBus, NatsInvalidation], Any],
    handlers: Handlers,
) -> AsyncIterator[None]:
    """Runs the service. `deps` makes its dependencies from its own bus."""
    async with _connected(server, "_INBOX_service") as nc:
        serving = await BusServer.start(nc, name, "0.1.0", deps(NatsBus(nc), NatsInvalidation(nc)))
        for contract, handler in handlers.items():
            await serving.add(contract, handler)
        await nc.flush()
        yield
        await serving.drain()


@asynccontextmanager
async def _connected(server: NatsServer, inbox: str) -> AsyncIterator[NatsClient]:
    nc = await server.connect(inbox_prefix=inbox)
    yield nc
    await nc.close()
