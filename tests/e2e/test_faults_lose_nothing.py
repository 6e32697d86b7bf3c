"""A process dies under a load of writes: no acknowledged write is lost, and its event is on the
stream once.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import nats.errors
import pytest
from tests.kit.system import System, fresh_email

from common.events.base import AuditEvent

CLEAN = frozenset({201, 503, 504})
"""Statuses that a request may have while something that it needs is down."""
RECOVERS = 60.0
"""Seconds, long enough for a busy machine."""


@dataclass
class Load:
    """Creates users without pause and remembers the acknowledged ones."""

    system: System
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    dirty: list[str] = field(default_factory=list)
    stop: bool = False

    async def run(self) -> None:
        async with self.system.backend(timeout=15) as backend:
            while not self.stop:
                try:
                    answer = await backend.post("/api/users", json={"email": fresh_email("load")})
                except httpx.TransportError:  # the gateway or the connection is down
                    self.statuses[0] += 1
                    await asyncio.sleep(0.05)
                    continue
                self._saw(answer)

    def _saw(self, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["id"])
        elif answer.status_code not in CLEAN or "traceback" in answer.text.lower():
            self.dirty.append(f"{answer.status_code} {answer.text[:300]}")
        elif answer.status_code == 503 and "retry-after" not in answer.headers:
            self.dirty.append("503 without Retry-After")


async def acknowledged_again(system: System) -> None:
    """Waits until a user can be created again."""
    until = time.monotonic() + RECOVERS
    async with system.backend(timeout=15) as backend:
        while time.monotonic() < until:
            try:
                answer = await backend.post("/api/users", json={"email": fresh_email("after")})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 201:
                return
            await asyncio.sleep(0.2)
    raise AssertionError("no request succeeded any more")


async def created_on_stream(system: System, wanted: set[str]) -> Counter[str]:
    """Counts the `user_created` events of each user, until all of `wanted` have one or the time is
    up."""
    found: Counter[str] = Counter()
    until = time.monotonic() + RECOVERS
    async with system.bus() as nc:
        subject = f"audit.*.{system.demo['app_id']}.batch"
        sub = await nc.jetstream().subscribe(subject, stream="AUDIT", ordered_consumer=True)
        while time.monotonic() < until:
            try:
                message = await sub.next_msg(timeout=1)
            except nats.errors.TimeoutError:
                if wanted <= found.keys():
                    break
                continue
            for event in map(AuditEvent.model_validate_json, message.data.split(b"\n")):
                if event.event_type == "user_created":
                    found[event.event_data["user_id"]] += 1
    return found


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("postgres", signal.SIGKILL),
        ("postgres", signal.SIGINT),
        ("nats", signal.SIGKILL),
        ("identity", signal.SIGKILL),
    ],
)
async def test_a_death_under_load(fragile: System, victim: str, number: signal.Signals) -> None:
    """Every response is clean, every acknowledged user exists, and their event is on the stream."""
    load = Load(fragile)
    workers = [asyncio.create_task(load.run()) for _ in range(4)]
    under_load = time.monotonic() + RECOVERS
    while len(load.acknowledged) < 10 and time.monotonic() < under_load:
        await asyncio.sleep(0.05)
    assert len(load.acknowledged) >= 10, load.statuses

    fragile.deployment.kill(victim, number)
    await asyncio.sleep(2)
    await acknowledged_again(fragile)
    load.stop = True
    await asyncio.gather(*workers)

    assert load.dirty == []
    async with fragile.backend(timeout=15) as backend:
        for user in load.acknowledged:
            answer = await backend.get(f"/api/users/{user}")
            assert answer.status_code == 200, f"acknowledged and lost: {user}"
    told = await created_on_stream(fragile, set(load.acknowledged))
    assert set(load.acknowledged) <= told.keys()
    assert [user for user, times in told.items() if times > 1] == [], "an event arrived twice"
