"""What has nothing to do sleeps, and works at once when it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from tests.kit.virtual_time import VirtualLoop

from common.db import Database
from common.outbox import GATHER, IDLE, Relay
from common.outbox_publisher import BatchPublisher
from common.periodic import flush_periodically
from common.problems import Unavailable
from common.worker import WakeableWorker

MINUTE = 60.0


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    made.settle()
    made.close()


@dataclass
class EmptyOutbox:
    """A database whose outbox is empty. It counts round trips."""

    looks: int = 0
    error: Exception | None = None

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        return []

    @asynccontextmanager
    async def unbound_autocommit(self) -> AsyncIterator[EmptyOutbox]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        yield self


def relay_of(outbox: Any, loop: VirtualLoop) -> Relay:
    database: Database = outbox
    connected: Any = SimpleNamespace(is_connected=True)
    relay = Relay(database, BatchPublisher(connected, connected, "rbac"))
    loop.create_task(relay.run())
    loop.settle()
    return relay


def test_an_idle_relay_looks_by_one_statement_now_and_then(loop: VirtualLoop) -> None:
    """It has nobody to wake it if another process died with rows waiting."""
    outbox = EmptyOutbox()
    relay_of(outbox, loop)
    loop.advance(MINUTE)

    assert outbox.looks == 1 + MINUTE / IDLE
    assert loop.wakes == MINUTE / IDLE


def test_a_relay_that_is_woken_works_at_once(loop: VirtualLoop) -> None:
    """A moment after the commit, in which others may come."""
    outbox = EmptyOutbox()
    relay = relay_of(outbox, loop)
    relay.wake()
    loop.advance(GATHER)

    assert outbox.looks == 2


def test_a_relay_whose_look_fails_tries_again_soon(loop: VirtualLoop) -> None:
    """The database was away: the next looks come sooner than those of an idle relay."""
    outbox = EmptyOutbox(error=Unavailable("away"))
    relay_of(outbox, loop)
    loop.advance(IDLE)

    assert outbox.looks > 3


def test_an_idle_worker_looks_every_few_seconds_and_at_once_when_woken(loop: VirtualLoop) -> None:
    """The looks between are for what another process left behind."""
    rounds = 0

    async def work() -> bool:
        nonlocal rounds
        rounds += 1
        return False

    worker = WakeableWorker(idle=5.0)
    loop.create_task(worker.run(work, name="test"))
    loop.advance(MINUTE)
    assert rounds == 1 + MINUTE / 5
    worker.wake()
    loop.settle()
    assert rounds == 2 + MINUTE / 5


def test_data_is_written_a_while_after_it_was_noted_and_otherwise_never(loop: VirtualLoop) -> None:
    """Nothing wakes the process while nothing is noted."""
    flushed: list[float] = []
    noted = asyncio.Event()

    async def flush() -> None:
        flushed.append(loop.time())

    loop.create_task(flush_periodically(flush, every=5.0, noted=noted))
    loop.advance(MINUTE)
    assert (flushed, loop.wakes) == ([], 0)

    noted.set()
    began = loop.time()
    loop.advance(MINUTE)
    assert flushed == [began + 5.0]
    assert loop.wakes == 1
