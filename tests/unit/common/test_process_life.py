"""A service drains on every signal, and ends when its bus is closed for good."""

from __future__ import annotations

import asyncio
import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest
from tests.kit.nats_server import PATIENCE

from common.bus_server import BusServer
from common.connections import _end_with
from common.process_life import STOPS, _stop_signal


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2],
)
async def test_each_signal_asks_for_a_stop(number: signal.Signals) -> None:
    """SIGHUP and the user signals would otherwise end a process without draining."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.create_task(_stop_signal(loop))
    await asyncio.sleep(0)
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE):
            await stopping
    finally:
        for each in STOPS:
            loop.remove_signal_handler(each)


async def test_a_connection_closed_for_good_ends_the_process() -> None:
    """For example after a change of the password, which only a new process reads."""
    closed = asyncio.Event()
    task = asyncio.create_task(_end_with(closed))
    await asyncio.sleep(0)
    assert not task.done()

    closed.set()
    with pytest.raises(ConnectionError):
        await task


async def test_a_drain_does_not_wait_for_a_bus_that_is_gone() -> None:
    """A drain without a bus ends at once. Each subscription would otherwise wait for its time
    limit."""

    def never() -> None:
        raise AssertionError("the bus was used")

    gone = SimpleNamespace(_subscription=SimpleNamespace(drain=never))
    service: Any = SimpleNamespace(
        _client=SimpleNamespace(is_connected=False), _endpoints=[gone], drain=never
    )

    await BusServer(service, None).drain()
