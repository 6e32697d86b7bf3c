"""A connection that writes once per turn of the event loop, and loses no message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.kit.nats_server import NatsServer, start, until

from common.nats_private import BatchedClient, flush_all


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    made = start(tmp_path_factory.mktemp("batched"))
    yield made
    made.stop()


async def batched(server: NatsServer) -> BatchedClient:
    nc = BatchedClient()
    await nc.connect(server.url)
    return nc


async def test_messages_close_together_go_out_in_few_writes(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred tasks publish in seven turns of the loop. Every message arrives once, with far
    fewer than a hundred system calls."""
    nc, other = await batched(server), await server.connect()
    got: list[bytes] = []

    async def keep(message: object) -> None:
        got.append(message.data)  # type: ignore[attr-defined]

    await other.subscribe("x", cb=keep)
    await other.flush()
    await flush_all(nc)
    writes = 0
    assert nc._transport is not None
    write = nc._transport.writelines

    def count(lines: list[bytes]) -> None:
        nonlocal writes
        writes += 1
        write(lines)

    monkeypatch.setattr(nc._transport, "writelines", count)

    async def send(number: int) -> None:
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await nc.publish("x", str(number).encode())

    await asyncio.gather(*(send(number) for number in range(100)))
    await until(lambda: len(got) == 100)

    assert sorted(got) == sorted(str(number).encode() for number in range(100))
    assert writes <= 9
    await nc.close()
    await other.close()


async def test_a_barrier_is_one(server: NatsServer) -> None:
    """After `flush_all` the server has every message that was published before."""
    nc, other = await batched(server), await server.connect()
    sub = await other.subscribe("y")
    await flush_all(other)
    for number in range(200):
        await nc.publish("y", b"1")
        await nc.publish("y", b"2")
        await flush_all(nc)
        await other.flush()
        assert sub.pending_msgs == 2 * (number + 1)
    await nc.close()
    await other.close()
