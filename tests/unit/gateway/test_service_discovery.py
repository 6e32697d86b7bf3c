"""Processes are found on the bus: quickly, completely, and without trust in what they report."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import orjson
import pytest
from tests.kit.dashboard_platform import FakeNats, stats_of

from gateway import service_discovery
from gateway.service_discovery import MOST_INSTANCES, ServiceDiscovery, ServiceInstance, instance_of


async def found(nats: FakeNats, discovery: ServiceDiscovery) -> dict[str, ServiceInstance]:
    instances = await discovery.instances(cast(Any, nats))
    return {instance.id: instance for instance in instances}


async def test_each_process_with_its_figures() -> None:
    """Requests, faults and times of all endpoints are added up. Both subjects of a contract count once."""
    instances = await found(FakeNats(), ServiceDiscovery())
    identity = instances["IDidentity"]

    assert sorted(instances) == ["IDidentity", "IDoidc", "IDrbac", "IDtenancy"]
    assert (identity.requests, identity.errors, identity.mean_ms) == (300, 0, 1.33)
    assert (identity.contracts, identity.running, identity.hash_queue) == (1, 1, 3)
    assert (identity.version, identity.label, identity.answers) == ("0.1.0", "identity-0", True)
    assert identity.started_at is not None
    assert identity.started_at.isoformat() == "2026-01-02T03:04:05.678000+00:00"


async def test_it_does_not_wait_for_nothing() -> None:
    """Once all known processes have answered, a moment of silence ends the wait, and the inbox."""
    nats, discovery = FakeNats(), ServiceDiscovery()
    await found(nats, discovery)
    begun = time.monotonic()
    await found(nats, discovery)

    assert time.monotonic() - begun < service_discovery.WITHIN / 2
    assert nats.open_inboxes == 0


async def test_a_process_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed as silent for a while, without figures, and then forgotten."""
    monkeypatch.setattr(service_discovery, "WITHIN", 0.05)
    now = 100.0
    nats, discovery = FakeNats(), ServiceDiscovery(clock=lambda: now)
    await found(nats, discovery)
    nats.processes = [each for each in nats.processes if each["name"] != "rbac"]
    silent = (await found(nats, discovery))["IDrbac"]
    now += service_discovery.REMEMBERED + 1
    later = await found(nats, discovery)

    assert (silent.answers, silent.requests, silent.version) == (False, None, "0.1.0")
    assert "IDrbac" not in later


async def test_a_process_that_hangs_between_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that answers INFO and not STATS is listed as silent."""
    monkeypatch.setattr(service_discovery, "WITHIN", 0.05)
    nats = FakeNats(silent_on_stats={"IDoidc"})
    oidc = (await found(nats, ServiceDiscovery()))["IDoidc"]

    assert (oidc.answers, oidc.service, oidc.contracts) == (False, "oidc", 1)


async def test_nobody_is_there() -> None:
    """If the server knows nobody to ask, that is the answer, at once."""
    begun = time.monotonic()
    nats = FakeNats(processes=[], raw=[b""])
    instances = await found(nats, ServiceDiscovery())

    assert instances == {}
    assert time.monotonic() - begun < service_discovery.WITHIN / 2


async def test_the_number_of_processes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of replies is read up to a limit, also over several rounds."""
    monkeypatch.setattr(service_discovery, "WITHIN", 0.1)
    nats, discovery = FakeNats(), ServiceDiscovery()
    for turn in range(2):
        nats.processes = [
            stats_of("identity", id=f"ID{turn}-{n}") for n in range(2 * MOST_INSTANCES)
        ]
        assert len(await found(nats, discovery)) == MOST_INSTANCES


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"1",
        b"null",
        b'{"id": 1, "type": "stats"}',
        orjson.dumps(stats_of("identity", id="BIG", pad="x" * 300_000)),
    ],
    ids=["broken", "list", "number", "null", "no id", "too long"],
)
async def test_an_unreadable_reply_is_none(data: bytes) -> None:
    """It changes nothing, and the others are listed."""
    assert len(await found(FakeNats(raw=[data]), ServiceDiscovery())) == 4


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [1, {}], -1, 2**70, True, 1e308, "9" * 5000])
def test_odd_values_do_no_harm(odd: Any) -> None:
    """Whatever a field holds, there is an instance, and its texts and numbers are bounded."""
    names = ("name", "version", "started", "metadata", "endpoints")
    for name in names:
        instance = instance_of("x", None, stats_of("identity", **{name: odd}))
        assert len(instance.service) <= 64
        assert len(instance.version) <= 64
    endpoint = dict.fromkeys(
        ("subject", "num_requests", "num_errors", "processing_time", "data"), odd
    )
    instance = instance_of("x", None, stats_of("identity", endpoints=[endpoint]))

    assert (instance.requests or 0) >= 0
    assert (instance.running or 0) >= 0


async def test_a_lost_bus_leaves_no_subscription() -> None:
    """If the question cannot be sent, the inbox is closed."""
    nats = FakeNats()

    async def lost(*_: Any, **__: Any) -> None:
        raise OSError

    nats.publish = lost  # type: ignore[method-assign]
    with pytest.raises(OSError):  # as it came
        await ServiceDiscovery().instances(cast(Any, nats))
    await asyncio.sleep(0)

    assert nats.open_inboxes == 0
