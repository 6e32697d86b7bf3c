"""Several gateways let through together what one would."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.admission.flood_limits import ALL, FloodLimits
from gateway.admission.replicas import GONE_AFTER, MOST, Replicas
from gateway.admission.token_bucket import Limit, TokenBuckets

NETWORK = "192.0.2.0/24"


class Hub:
    """Delivers what one gateway publishes to all."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.is_connected = True

    async def subscribe(self, _: str, cb: Any) -> None:
        self.heard.append(cb)

    async def publish(self, subject: str, data: bytes) -> None:
        for hear in list(self.heard):
            await hear(SimpleNamespace(subject=subject, data=data))


class Fleet:
    """Gateways with a clock in common."""

    def __init__(self, count: int) -> None:
        self.now = 1000.0
        self.hub: Any = Hub()
        self.limits = [FloodLimits() for _ in range(count)]
        self.replicas = [
            Replicas(cast(Any, self.hub), limits.divide, clock=lambda: self.now)
            for limits in self.limits
        ]
        for limits in self.limits:
            limits.buckets.clock = lambda: self.now

    async def start(self) -> None:
        for each in self.replicas:
            await self.hub.subscribe("", each._receive)
            await each._publish(b"new")

    @property
    def shares(self) -> list[float]:
        return [limits.buckets.share for limits in self.limits]


def passed(buckets: list[TokenBuckets], limit: Limit, seconds: int, clock: Any) -> int:
    """How many of a flood get through a balancer that takes turns."""
    turns, through = itertools.cycle(buckets), 0
    for _ in range(seconds):
        for _ in range(int(limit.burst * 1.2 + limit.rate)):
            through += next(turns).take(limit, ("app", limit.name, NETWORK)).allowed
        clock()
    return through


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.name)
@pytest.mark.parametrize("count", [2, 4])
async def test_the_total_is_that_of_one_gateway(count: int, limit: Limit) -> None:
    """Within 20 %, whatever the number of gateways."""

    async def total(gateways: int) -> int:
        fleet = Fleet(gateways)
        await fleet.start()

        def second() -> None:
            fleet.now += 1

        return passed([each.buckets for each in fleet.limits], limit, 3, second)

    assert await total(count) == pytest.approx(await total(1), rel=0.2)


async def test_a_new_gateway_knows_the_others_at_once() -> None:
    fleet = Fleet(3)
    await fleet.start()

    assert fleet.shares == [1 / 3] * 3


async def test_who_leaves_or_falls_silent_counts_no_more() -> None:
    """One that says good-bye at once, one that was killed after a while."""
    fleet = Fleet(3)
    await fleet.start()
    fleet.hub.heard.pop()
    await fleet.replicas[2]._publish(b"leaving")
    assert fleet.shares[:2] == [1 / 2] * 2

    fleet.hub.heard.pop()
    fleet.now += GONE_AFTER + 1
    await fleet.replicas[0].announce()
    assert fleet.shares[0] == 1


async def test_without_the_bus_the_number_stays() -> None:
    """Nobody is heard, which says nothing about who is there."""
    fleet = Fleet(2)
    await fleet.start()
    fleet.hub.is_connected = False
    fleet.now += GONE_AFTER * 3
    await fleet.replicas[0].announce()
    fleet.hub.is_connected = True
    await fleet.replicas[0].announce()

    assert fleet.shares == [1 / 2] * 2


async def test_no_number_of_announcements_closes_a_gateway() -> None:
    """Whoever can announce gateways on the bus shrinks the limits to a floor, and fills no memory."""
    fleet = Fleet(1)
    await fleet.start()
    for number in range(10 * MOST):
        await fleet.hub.publish(f"changed.gateway.{number}", b"here")

    assert fleet.shares == [1 / MOST]
    assert len(fleet.replicas[0]._others) == MOST - 1
