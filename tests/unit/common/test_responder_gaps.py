"""Calls wait for a replica that was there a moment ago, and for no other."""

from __future__ import annotations

import pytest

from common.responder_gaps import FORGET, GAP, ResponderGaps


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes only while somebody sleeps."""
    now = [100.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("common.responder_gaps.asyncio.sleep", sleep)
    return now


async def waited(gaps: ResponderGaps, subject: str, longest: float = 9.0) -> int:
    count = 0
    while await gaps.wait(subject, longest):
        count += 1
    return count


async def test_only_known_subjects_are_waited_for(time: list[float]) -> None:
    """A call that nobody ever answered fails at once: its service is not there, or does not know it."""
    gaps = ResponderGaps(clock=lambda: time[0])
    assert await waited(gaps, "new.thing.get") == 0

    gaps.answered("known.thing.get")
    began = time[0]
    assert await waited(gaps, "known.thing.get") > 10
    assert time[0] - began == pytest.approx(GAP, abs=0.1)


async def test_a_long_gap_costs_its_first_seconds_only(time: list[float]) -> None:
    """While a service stays away, calls fail at once. An answer, or a long time without a call, ends that."""
    gaps = ResponderGaps(clock=lambda: time[0])
    gaps.answered("a.b.get")
    await waited(gaps, "a.b.get")
    for _ in range(5):
        time[0] += FORGET / 2
        assert await waited(gaps, "a.b.get") == 0

    gaps.answered("a.b.get")
    assert await waited(gaps, "a.b.get") > 10
    time[0] += FORGET + 1
    assert await waited(gaps, "a.b.get") > 10


async def test_a_call_keeps_its_time_limit(time: list[float]) -> None:
    """Nobody waits for longer than the call has."""
    gaps = ResponderGaps(clock=lambda: time[0])
    gaps.answered("a.b.get")

    assert not await gaps.wait("a.b.get", 0.01)
