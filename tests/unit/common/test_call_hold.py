"""Calls that are held for a moment."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from common.bus import NatsBus
from common.problems import TooLate
from common.testing import context


class Connection:
    """A connection that is away until it is told to be back."""

    def __init__(self) -> None:
        self.is_usable, self.servers, self.lost_at = False, ["nats://a"], None
        self.sent: list[str] = []

    async def request(self, subject: str, *_: Any, **__: Any) -> Any:
        self.sent.append(subject)
        return SimpleNamespace(headers=None, data=b"{}")


class Asked:
    """Stands for a contract."""

    subject = "rbac.rights.get"


@pytest.fixture
def bus() -> NatsBus:
    connection: Any = Connection()
    made = NatsBus(connection)
    made.lame_duck.paused = True
    made.lame_duck._announced = made.lame_duck._clock()  # its connection is expected back
    return made


async def _until_it_waits() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("released", [True, False])
async def test_a_call_that_waited_for_the_connection_is_held_too(
    bus: NatsBus, released: bool
) -> None:
    """A reload of the server may begin while a process moves to its new login. Nothing is sent after the deadline."""
    contract: Any = Asked
    ctx = context("a", within=30 if released else 2)
    call = asyncio.create_task(bus.send_once(ctx, contract, Asked.subject, b""))
    await _until_it_waits()
    bus.hold.hold(5)
    bus.nc.is_usable = True  # type: ignore[misc]
    bus.lame_duck.paused = False
    await asyncio.sleep(0.1)
    sent = bus.nc.sent  # type: ignore[attr-defined]
    assert sent == []
    if not released:
        while ctx.remaining() > 0:
            await asyncio.sleep(0.05)
    bus.hold.hold(0)

    if released:
        assert await call == b"{}"
        assert sent == [Asked.subject]
    else:
        with pytest.raises(TooLate):
            await call
        assert sent == []
