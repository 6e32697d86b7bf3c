"""The sealing job sleeps while no event waits, and seals a second after one came."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from tests.kit.virtual_time import VirtualLoop

from common.audit import RECORDS
from common.ids import new_id
from tenancy import sealing_job
from tenancy.audit_sealing import Outcome
from tenancy.sealing_job import GATHER, SWEEP_ALL_EVERY, SealingJob

APP = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


class Bus:
    """Keeps the callback of the one subscription."""

    heard: Any = None

    async def subscribe(self, subject: str, *, queue: str, cb: Any) -> None:
        self.heard = cb


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch, loop: VirtualLoop) -> list[tuple[float, int]]:
    """When events were sealed, and how many."""
    done: list[tuple[float, int]] = []

    async def seal_events(deps: object, app_id: str, ids: list[str]) -> Outcome:
        done.append((loop.time(), len(ids)))
        return Outcome.DONE

    async def plan_nothing(self: SealingJob) -> None:
        return

    monkeypatch.setattr(sealing_job, "time", SimpleNamespace(monotonic=loop.time))
    monkeypatch.setattr(sealing_job, "seal_events", seal_events)
    monkeypatch.setattr(SealingJob, "_plan_all", plan_nothing)
    return done


def test_it_sleeps_until_an_event_comes(loop: VirtualLoop, sealed: list[tuple[float, int]]) -> None:
    """Two wake-ups in ten minutes, and a few for each burst of events."""
    bus: Any = Bus()
    unused: Any = None
    job = loop.create_task(SealingJob(unused, bus).run())
    loop.advance(SWEEP_ALL_EVERY)
    assert loop.wakes <= 4

    def hear() -> None:
        line = orjson.dumps({"id": new_id(), "app_id": APP, "event_type": "login"})
        message: Any = SimpleNamespace(data=line, subject=f"audit.oidc.{APP}.{RECORDS}")
        loop.finish(bus.heard(message))

    before, began = loop.wakes, loop.time()
    for _ in range(10):
        hear()
        loop.advance(0.05)
    loop.advance(5.0)

    [(at, count)] = sealed
    assert count == 10
    assert began + GATHER <= at <= began + 2 * GATHER
    assert loop.wakes - before <= 6
    job.cancel()
    loop.settle()
