"""Clients leave a NATS server that announced its end before it stops."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from typing import Any

import nats.errors
import pytest
from tests.bus.probe import Answer, Echo, Read, Write
from tests.kit.nats_server import NatsServer, free_port, start, until

from common import lame_duck, responder_gaps
from common.bus import NatsBus
from common.bus_server import BusServer
from common.context import Context
from common.nats_reconnect import ReconnectPlan
from common.problems import Unavailable
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NatsServer]]:
    """Two servers that forward to each other, without JetStream, which would need a majority."""
    ports = [free_port(), free_port()]
    running = []
    for name, port in zip(("one", "two"), ports, strict=True):
        routes = ", ".join(f'"nats://127.0.0.1:{each}"' for each in ports if each != port)
        cluster = f'cluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{routes}] }}'
        folder = tmp_path_factory.mktemp(name)
        running.append(start(folder, f"server_name: {name}\n{cluster}", jetstream=False))
    yield running
    for each in running:
        each.stop(signal.SIGKILL)


async def test_both_sides_change_servers_and_no_call_fails(cluster: list[NatsServer]) -> None:
    """Calls go on without failure, each is handled once, and both ends connect to the other server."""
    old, new = cluster
    urls = {"servers": [old.url, new.url], "dont_randomize": True}
    buses: list[NatsBus] = []

    async def connect() -> Any:
        async def leaving() -> None:
            tasks.append(asyncio.create_task(bus.lame_duck.announced()))

        nc = await old.connect(**urls, lame_duck_mode_cb=leaving)
        buses.append(bus := NatsBus(nc))
        return nc

    tasks: list[asyncio.Task[None]] = []
    near, far, other = await connect(), await connect(), await connect()
    handled: list[str] = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        handled.append(request.name)
        await asyncio.sleep(0.01)
        return Answer(text=request.name)

    for nc in (far, other):  # two replicas: one serves while the other changes
        server = await BusServer.start(nc, "probe", "0.1.0", None)
        await server.add(Write, write)
        await nc.flush()
    done: list[Any] = []
    going = True

    async def call_on(caller: int) -> None:
        while going:
            name = f"{caller}-{len(done)}"
            done.append((await buses[0].call(context(APP), Write(name=name))).text)

    callers = [asyncio.create_task(call_on(number)) for number in range(4)]
    await until(lambda: len(done) > 20)
    assert old.process is not None
    old.process.send_signal(signal.SIGUSR2)
    await until(lambda: len(tasks) == 3)
    await asyncio.gather(*tasks)
    await until(lambda: all(nc.is_connected for nc in (near, far, other)))
    before = len(done)
    await until(lambda: len(done) > before + 20)
    going = False
    await asyncio.gather(*callers)

    ports = {nc.connected_url.port for nc in (near, far, other)}
    assert ports == {new.port}
    assert sorted(handled) == sorted(done)
    for nc in (near, far, other):
        await nc.close()


class Link:
    """A connection that cannot change servers, because it knows only one."""

    is_usable = False
    lost_at: float | None = None
    servers: tuple[object, ...] = (object(),)

    async def request(self, *_: Any, **__: Any) -> Any:
        class Reply:
            headers = None
            data = b'{"text": "here"}'

        return Reply()


async def test_calls_wait_for_the_only_server_to_come_back() -> None:
    """After the announcement a call waits within its time limit. Without one it fails at once."""
    link: Any = Link()
    bus = NatsBus(link)
    with pytest.raises(Unavailable):
        await bus.call(context(APP), Read())

    await bus.lame_duck.announced()
    call = asyncio.create_task(bus.call(context(APP), Read()))
    await asyncio.sleep(0.05)
    assert not call.done()
    link.is_usable = True

    assert (await call).text == "here"


async def test_calls_wait_for_another_server_for_a_moment_only() -> None:
    """If the list has another server, a call waits in the first seconds after the loss. Once these have passed
    without any server, calls fail at once."""
    link: Any = Link()
    link.servers = (object(), object())
    link.lost_at = time.monotonic()
    bus = NatsBus(link)
    call = asyncio.create_task(bus.call(context(APP), Read()))
    await asyncio.sleep(0.05)
    assert not call.done()
    link.is_usable = True
    assert (await call).text == "here"

    link.is_usable, link.lost_at = False, time.monotonic() - lame_duck.MOVE_TIME
    call = asyncio.create_task(bus.call(context(APP), Write(name="x")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert isinstance(call.exception(), Unavailable)


async def test_a_killed_server_fails_only_what_was_on_its_way(
    cluster: list[NatsServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two servers is killed under load, with caller and a replica on it. Calls that had no reply yet fail as
    `unavailable`, at most one of each caller. All others succeed, also those that come before the connection
    is back, and each is handled once."""
    monkeypatch.setattr(lame_duck, "MOVE_TIME", 60.0)  # a busy machine takes a while
    monkeypatch.setattr(responder_gaps, "GAP", 60.0)
    old, new = cluster
    plans: list[ReconnectPlan] = []

    async def connect() -> Any:
        plan = ReconnectPlan()
        plans.append(plan)
        nc = await old.connect(
            servers=[old.url, new.url], dont_randomize=True, reconnect_to_server_handler=plan.next
        )
        plan.begin(nc.server)
        return nc

    near, far = await connect(), await connect()
    handled: list[str] = []

    async def write(_: Any, ctx: Context, request: Echo) -> Answer:
        handled.append(request.text)
        return Answer(text=request.text)

    server = await BusServer.start(far, "probe", "0.1.0", None)
    await server.add(Echo, write)
    await far.flush()
    bus = NatsBus(near)
    done: list[str] = []
    failed: list[str] = []
    going = True

    async def call_on(caller: int) -> None:
        number = 0
        while going:
            number += 1
            name = f"{caller}-{number}"
            try:
                done.append((await bus.call(context(APP, within=60), Echo(text=name))).text)
            except Unavailable:
                failed.append(name)

    callers = [asyncio.create_task(call_on(number)) for number in range(4)]
    await until(lambda: len(done) > 50)
    old.stop(signal.SIGKILL)
    before = len(done)
    await until(lambda: len(done) > before + 50)
    going = False
    await asyncio.gather(*callers)

    assert near.connected_url.port == far.connected_url.port == new.port
    assert len(failed) <= 4
    assert len({name.partition("-")[0] for name in failed}) == len(failed)
    assert len(set(handled)) == len(handled)
    assert set(done) <= set(handled) <= {*done, *failed}
    await near.close()
    await far.close()


async def test_a_write_waits_for_a_replica_that_comes_back(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the only replica is away for a moment, no call fails, writes included, and each is handled once. A
    call that nobody ever answered fails at once."""
    monkeypatch.setattr(responder_gaps, "GAP", 60.0)  # a busy machine takes a while
    near = await server.connect()
    handled: list[str] = []

    async def write(_: Any, ctx: Context, request: Echo) -> Answer:
        handled.append(request.text)
        return Answer(text=request.text)

    async def replica() -> Any:
        nc = await server.connect()
        serving = await BusServer.start(nc, "probe", "0.1.0", None)
        await serving.add(Echo, write)
        await nc.flush()
        return nc

    async def nobody_is_there() -> bool:
        """Whether the server knows that the connection has ended: until then, it sends calls there."""
        try:
            await near.request(Echo.subject, b"{}", timeout=1)
        except nats.errors.NoRespondersError:
            return True
        except nats.errors.TimeoutError:
            pass
        return False

    bus = NatsBus(near)
    with pytest.raises(Unavailable):
        await bus.call(context(APP, within=60), Echo(text="early"))
    assert bus.gaps._gaps == {}
    first = await replica()
    await bus.call(context(APP, within=60), Echo(text="0"))
    await first.close()
    await until(nobody_is_there)
    calls = [
        asyncio.create_task(bus.call(context(APP, within=60), Echo(text=str(n))))
        for n in range(1, 9)
    ]
    await asyncio.sleep(0.3)
    assert not any(call.done() for call in calls)
    second = await replica()

    assert {(await call).text for call in calls} == {str(n) for n in range(1, 9)}
    assert sorted(handled) == [str(n) for n in range(9)]
    await near.close()
    await second.close()
