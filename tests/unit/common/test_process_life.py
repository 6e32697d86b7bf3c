"""A service drains on every signal, and ends when its bus is closed for good."""

from __future__ import annotations

import asyncio
import os
import signal
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
from tests.kit.nats_server import PATIENCE

from common import logs
from common.bus_server import BusServer
from common.connections import _end_with
from common.process_life import STOPS, ServiceLife, run_until_stopped, stop_signal


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2],
)
async def test_each_signal_asks_for_a_stop(number: signal.Signals) -> None:
    """SIGHUP and the user signals would otherwise end a process without draining."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.create_task(stop_signal(loop))
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


def life(name: str, ends: list[str], *, front: bool = False) -> ServiceLife:
    """A service that writes down its ends. Its drain takes a while."""

    async def drain(hurry: bool) -> None:
        await asyncio.sleep(0.01)
        ends.append(f"{name} has drained")

    async def close() -> None:
        ends.append(f"{name} has closed {logs.service.get()}")

    nc = SimpleNamespace(is_connected=False, close=close)
    links: Any = SimpleNamespace(name=name, tasks=[], databases=[], nc=nc)
    context = copy_context()
    context.run(logs.service.set, name)
    return ServiceLife(links, drain, front=front, context=context)


async def test_the_services_of_a_process_end_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The death of one task ends the process: a line names the service, what takes requests from
    outside drains before the others, everything closes after that, and the exit code is 1."""
    ends, lines = list[str](), list[dict[str, str]]()
    gateway, oidc = life("gateway", ends, front=True), life("oidc", ends)
    monkeypatch.setattr("common.process_life.log", SimpleNamespace(error=_kept(lines)))
    monkeypatch.setattr("common.process_life._freeze_memory", lambda: None)

    async def fall_over() -> None:
        raise ZeroDivisionError("never in a log of another service")

    async def start() -> list[ServiceLife]:
        oidc.links.tasks.append(asyncio.create_task(fall_over(), name="deliveries"))
        gateway.links.tasks.append(asyncio.create_task(asyncio.sleep(PATIENCE)))
        return [oidc, gateway]

    try:
        with pytest.raises(SystemExit) as ended:
            await run_until_stopped(start())
    finally:
        for each in STOPS:
            asyncio.get_running_loop().remove_signal_handler(each)

    assert ended.value.code == 1
    assert [(line["service"], line["task"]) for line in lines] == [("oidc", "deliveries")]
    assert ends[:2] == ["gateway has drained", "oidc has drained"]
    assert sorted(ends[2:]) == ["gateway has closed gateway", "oidc has closed oidc"]
    assert all(task.done() for each in (gateway, oidc) for task in each.links.tasks)


def _kept(lines: list[dict[str, str]]) -> Any:
    return lambda event, **fields: lines.append({"event": event} | fields)


async def test_a_drain_does_not_wait_for_a_bus_that_is_gone() -> None:
    """A drain without a bus ends at once. Each subscription would otherwise wait for its time
    limit."""

    def never() -> None:
        raise AssertionError("the bus was used")

    gone = SimpleNamespace(_subscription=SimpleNamespace(drain=never))
    service: Any = SimpleNamespace(_endpoints=[gone], drain=never)
    client: Any = SimpleNamespace(is_connected=False)

    await BusServer(client, service, None).drain()
