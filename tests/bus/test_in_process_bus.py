"""What is particular to a bus inside a process: it does without NATS, but never hides a change."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.aio.client import Client
from tests.bus.conftest import Serve
from tests.bus.probe import Answer, Read, Write
from tests.kit.nats_server import NatsServer, until

from common import logs
from common.bus_server import BusServer
from common.circuit_breaker import TIMEOUTS
from common.context import Context
from common.in_process_bus import InProcessBus, SharedProcess
from common.invalidation import NatsInvalidation
from common.nats_private import flush_all
from common.problems import Busy
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"


async def answering(_: Any, ctx: Context, request: Any) -> Answer:
    return Answer(text="here")


async def elsewhere(_: Any, ctx: Context, request: Any) -> Answer:
    return Answer(text="elsewhere")


@pytest.fixture
def bus(near: Client, process: SharedProcess) -> InProcessBus:
    return InProcessBus(near, process)


async def test_a_call_in_memory_sends_nothing(
    bus: InProcessBus, near: Client, far: Client, serve: Serve
) -> None:
    """Neither connection sends a message for a contract that is served in the process."""
    await serve({Read: answering})
    before = near.stats["out_msgs"], far.stats["out_msgs"]

    assert (await bus.call(context(APP), Read())).text == "here"
    assert (near.stats["out_msgs"], far.stats["out_msgs"]) == before


async def test_another_process_answers_what_this_one_does_not_serve(
    bus: InProcessBus, serve: Serve, server: NatsServer
) -> None:
    """A contract without a handler here goes over NATS, and so does one whose service stops."""
    here = await serve({Read: answering})
    nc = await server.connect()
    there = await BusServer.start(nc, "probe", "0.1.0", None)
    await there.add(Read, elsewhere)
    await there.add(Write, elsewhere)
    await flush_all(nc)
    try:
        assert (await bus.call(context(APP), Write())).text == "elsewhere"
        assert (await bus.call(context(APP), Read())).text == "here"
        await here.drain()
        assert (await bus.call(context(APP), Read())).text == "elsewhere"
    finally:
        await there.drain()
        await nc.close()


async def test_an_answer_in_memory_closes_the_breaker(bus: InProcessBus, serve: Serve) -> None:
    """A service that did not answer over NATS, and answers in memory again, is asked as before."""
    await serve({Read: answering})
    for _ in range(TIMEOUTS):
        bus.breaker.timed_out("probe")

    assert [(await bus.call(context(APP), Read())).text for _ in range(3)] == ["here"] * 3


async def test_memory_and_nats_share_one_limit(
    bus: InProcessBus, near: Client, serve: Serve
) -> None:
    """Requests in memory and over NATS wait in one queue: neither is a way round the other's limit."""
    go, begun = asyncio.Event(), asyncio.Event()

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.set()
        await go.wait()
        return Answer()

    over_nats = InProcessBus(near, SharedProcess())
    server = await serve({Write: write}, concurrency=1, queue=1)
    first = asyncio.create_task(bus.call(context(APP), Write()))
    await begun.wait()
    second = asyncio.create_task(over_nats.call(context(APP), Write()))
    await until(lambda: len(server._running) == 2)
    for each in (bus, over_nats):
        with pytest.raises(Busy):
            await each.call(context(APP), Write())
    go.set()

    assert [await first, await second] == [Answer(), Answer()]


async def test_lines_name_the_service_that_works(
    bus: InProcessBus, far: Client, serve: Serve
) -> None:
    """A handler's lines name its own service, and its caller's lines the caller's."""
    names: list[str] = []

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        names.append(logs.service.get())
        return Answer()

    token = logs.service.set("rbac")
    await serve({Read: read})
    logs.service.set("gateway")
    await bus.call(context(APP), Read())
    names.append(logs.service.get())
    logs.service.reset(token)

    assert names == ["rbac", "gateway"]


# Changes


async def test_a_change_is_heard_before_the_reply_and_once(
    near: Client, far: Client, server: NatsServer
) -> None:
    """The other services of the process hear of a change before `publish` returns, though NATS has
    delivered nothing yet; and not again when NATS does. Another process hears it over NATS."""
    process, heard = SharedProcess(), list[tuple[str, str]]()
    outside = await server.connect()
    publishing = NatsInvalidation(near, same_process=process.invalidation)
    listening = NatsInvalidation(far, same_process=process.invalidation)
    other = NatsInvalidation(outside)
    listening.listeners.append(lambda app_id, noun, id: heard.append(("same process", id)))
    other.listeners.append(lambda app_id, noun, id: heard.append(("another process", id)))
    for each in (publishing, listening, other):
        await each.listen()
        await flush_all(each.nc)
    try:
        publish = asyncio.ensure_future(publishing.publish(context(APP), "session", "s1"))
        await asyncio.sleep(0)  # NATS cannot have answered: nothing was read from its socket
        assert heard == [("same process", "s1")]
        await publish
        await other.publish(context(APP), "session", "s2")
        await until(lambda: len(heard) == 4)
        await flush_all(far)
    finally:
        await outside.close()

    assert sorted(heard) == [
        ("another process", "s1"),
        ("another process", "s2"),
        ("same process", "s1"),
        ("same process", "s2"),
    ]


async def test_a_listener_that_fails_does_not_fail_the_change(near: Client, far: Client) -> None:
    """An error in another service's listener reaches neither the publisher nor further services."""
    process, heard = SharedProcess(), list[str]()
    publishing = NatsInvalidation(near, same_process=process.invalidation)
    broken = NatsInvalidation(far, same_process=process.invalidation)
    third = NatsInvalidation(far, same_process=process.invalidation)

    def fail(app_id: str, noun: str, id: str) -> None:
        raise ZeroDivisionError

    broken.listeners.append(fail)
    third.listeners.append(lambda app_id, noun, id: heard.append(id))
    await publishing.publish(context(APP), "session", "s1")

    assert heard == ["s1"]


async def test_changes_are_heard_while_nats_is_away(server: NatsServer) -> None:
    """Without NATS the services of the process still hear of each other's changes."""
    nc = await server.connect()
    process, heard = SharedProcess(), list[str]()
    publishing = NatsInvalidation(nc, same_process=process.invalidation)
    publishing.listeners.append(lambda app_id, noun, id: heard.append(id))
    await nc.close()
    await publishing.publish(context(APP), "session", "s1")

    assert heard == ["s1"]
