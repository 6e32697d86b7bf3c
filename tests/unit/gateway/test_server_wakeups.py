"""An idle gateway sleeps: uvicorn would wake ten times a second for each listener."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest
from tests.kit.virtual_time import VirtualLoop

from gateway.http.date_header import DateHeader
from gateway.server import server_of


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


async def unused(scope: object, receive: object, send: object) -> None:
    raise AssertionError


def test_a_server_without_requests_never_wakes_and_stops_when_told(loop: VirtualLoop) -> None:
    """No timer is set while nobody is connected."""
    server = server_of(unused)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    serving = loop.create_task(server.serve(sockets=[listener]))
    loop.advance(60.0)
    assert loop.wakes == 0
    assert server.started
    assert not serving.done()

    server.should_exit = True
    loop.advance(1.0)
    assert serving.done()
    assert asyncio.all_tasks(loop) == set()


def test_the_date_is_that_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once in a second, also after a long sleep (RFC 9110 section 6.6.1)."""
    now = 1_800_000_000.25
    monkeypatch.setattr(time, "time", lambda: now)
    date = DateHeader()
    first = date.headers()
    now += 0.5
    assert date.headers() is first
    now += 3600.0
    [(name, value)] = date.headers()

    assert name == b"date"
    assert parsedate_to_datetime(value.decode()).timestamp() == int(now)
    assert value.endswith(b" GMT")
