"""A service that hangs makes only a few callers wait."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.bus.probe import Read, Write

from common import bus as bus_module
from common.bus import NatsBus
from common.circuit_breaker import PROBE_EVERY, TIMEOUTS, CircuitBreaker
from common.problems import TooLate, Unavailable
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"


async def test_calls_to_a_hung_service_fail_at_once(
    bus: NatsBus, far: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few timeouts only probes are sent. The first answer lets all calls pass again."""
    monkeypatch.setattr(bus_module, "HANG_TIME", 0.0)
    heard: list[Msg] = []
    hangs = True

    async def listen(msg: Msg) -> None:
        heard.append(msg)
        if not hangs:
            await msg.respond(b"{}")

    await far.subscribe("probe.thing.*", cb=listen)
    await far.flush()

    async def call() -> type[BaseException] | None:
        try:
            await bus.call(context(APP, within=0.2), Write())
        except (TooLate, Unavailable) as problem:
            return type(problem)
        return None

    first = await asyncio.gather(*(call() for _ in range(TIMEOUTS)))
    assert first == [TooLate] * TIMEOUTS
    heard.clear()
    later = await asyncio.gather(*(call() for _ in range(20)))
    assert (len(heard), later.count(TooLate), later.count(Unavailable)) == (1, 1, 19)

    hangs = False
    monkeypatch.setattr("common.circuit_breaker.PROBE_EVERY", 0.0)
    await bus.call(context(APP), Read())
    monkeypatch.setattr("common.circuit_breaker.PROBE_EVERY", PROBE_EVERY)
    heard.clear()
    assert await asyncio.gather(*(call() for _ in range(20))) == [None] * 20
    assert len(heard) == 20


def test_an_answer_in_between_keeps_the_breaker_closed() -> None:
    """The circuit breaker stays closed if one of two replicas hangs, or if requests are slow."""
    breaker = CircuitBreaker(clock=lambda: 0.0)
    for _ in range(TIMEOUTS * 3):
        breaker.timed_out("identity")
        breaker.timed_out("oidc")
        breaker.answered("identity")

    assert all(breaker.admit("identity") for _ in range(10))
    assert breaker.admit("rbac")
    assert not breaker.admit("oidc")
