"""Services report their figures on the bus, and the gateway's own user may ask for them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from nats.aio.client import Client
from tests.bus.conftest import Serve
from tests.bus.probe import Answer, Read, Write

from common.bus import NatsBus
from common.context import Context
from common.ids import new_id
from common.problems import Busy, NotFound
from common.testing import context
from common.version import VERSION
from gateway.monitoring.announcement import announce
from gateway.served_requests import ServedRequests
from gateway.service_discovery import ServiceDiscovery


async def slowly(_: Any, ctx: Context, request: Read) -> Answer:
    await asyncio.sleep(0.05)
    return Answer()


async def refused(_: Any, ctx: Context, request: Write) -> Answer:
    raise NotFound


async def broken(_: Any, ctx: Context, request: Write) -> Answer:
    raise ZeroDivisionError


async def figures(near: Client) -> dict[str, Any]:
    reply = await near.request("$SRV.STATS.probe", timeout=2)
    body: dict[str, Any] = orjson.loads(reply.data)
    return body


async def test_times_are_those_of_answers(bus: NatsBus, near: Client, serve: Serve) -> None:
    """A handler that waits takes its time in the figures, and the name of the replica is there."""
    await serve({Read: slowly}, replica="blue")
    await bus.call(context(new_id()), Read())
    body = await figures(near)
    first, system = body["endpoints"]

    assert body["metadata"] == {"replica": "blue"}
    assert (first["num_requests"], first["num_errors"]) == (1, 0)
    assert first["average_processing_time"] > 40_000_000
    assert first["data"]["running"] == 0
    assert (system["num_requests"], system["processing_time"], system["data"]) == (0, 0, None)


@pytest.mark.parametrize(("handler", "errors"), [(refused, 0), (broken, 1)])
async def test_a_refusal_is_no_error(
    bus: NatsBus, near: Client, serve: Serve, handler: Any, errors: int
) -> None:
    """Only faults of ours count as errors."""
    await serve({Write: handler})
    with pytest.raises(Exception):  # noqa: B017  # any Problem
        await bus.call(context(new_id()), Write())

    assert (await figures(near))["endpoints"][0]["num_errors"] == errors


async def test_a_request_counts_when_it_arrives(bus: NatsBus, near: Client, serve: Serve) -> None:
    """Requests at work and those refused as Busy are in the figures too."""
    go = asyncio.Event()

    async def wait(_: Any, ctx: Context, request: Write) -> Answer:
        await go.wait()
        return Answer()

    await serve({Write: wait}, concurrency=1, queue=0)
    first = asyncio.create_task(bus.call(context(new_id()), Write()))
    await asyncio.sleep(0.05)
    with pytest.raises(Busy):
        await bus.call(context(new_id()), Write())
    counted = (await figures(near))["endpoints"][0]
    go.set()
    await first

    assert (counted["num_requests"], counted["num_errors"]) == (2, 0)


async def test_a_process_is_found(bus: NatsBus, near: Client, serve: Serve) -> None:
    """The discovery of the gateway reads what a real service reports."""
    await serve({Read: slowly}, replica="blue")
    await bus.call(context(new_id()), Read())
    discovery = ServiceDiscovery(services=("probe",))
    (instance,) = await discovery.instances(near)

    assert (instance.service, instance.replica, instance.version) == ("probe", "blue", "0.1.0")
    assert (instance.requests, instance.errors, instance.contracts) == (1, 0, 1)
    assert instance.mean_ms is not None
    assert instance.mean_ms > 40
    assert instance.started_at is not None


async def test_a_gateway_is_found(near: Client, far: Client) -> None:
    """A gateway reports what it has answered, as a process like the others. Its subject serves nothing."""
    served = ServedRequests()
    served.add(200, 0.1)
    served.add(503, 0.3)
    id = await announce(far, served, "blue")
    await far.flush()
    (instance,) = await ServiceDiscovery(services=("gateway",)).instances(near)
    refused = await near.request("gateway.http", b"{}", timeout=2)

    assert (instance.id, instance.label, instance.version) == (id, "gateway-blue", VERSION)
    assert (instance.requests, instance.errors, instance.mean_ms) == (2, 1, 200.0)
    assert refused.headers is not None
    assert refused.headers["Nats-Service-Error-Code"] == "404"
