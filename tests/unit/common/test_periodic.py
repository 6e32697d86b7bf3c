"""Periodic work."""

from __future__ import annotations

import asyncio
import time

import pytest

from common import logs, metrics
from common.context import system_context, traced
from common.periodic import flush_periodically, run_periodically, stop
from common.problems import Unavailable


async def test_a_round_that_fails_does_not_end_the_work() -> None:
    """If a service is down the round ends, and the next one tries again."""
    done = asyncio.Event()
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise Unavailable("away")
        done.set()

    task = asyncio.create_task(run_periodically(work, every=0.01, name="test", immediately=True))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()

    assert rounds >= 2


async def test_a_bug_is_no_fault_of_others() -> None:
    """An unexpected exception ends the task, and so the process."""

    async def work() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await asyncio.wait_for(run_periodically(work, every=0.01, name="test"), 5)


async def test_what_was_gathered_is_written_at_the_end() -> None:
    """A process that stops writes what it has collected."""
    written = 0

    async def flush() -> None:
        nonlocal written
        written += 1

    task = asyncio.create_task(flush_periodically(flush, every=60, noted=asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert written == 1


async def test_a_lost_cancellation_is_said_again() -> None:
    """A task that swallows its first cancellation, as `wait_for` may, is cancelled again."""
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await asyncio.wait_for(stop([task], timeout=0.01), 5)

    assert (swallowed, task.cancelled()) == (2, True)


async def test_each_round_has_a_trace_of_its_own() -> None:
    """The calls, events and log lines of a round have one trace. Outside of a round there is none."""
    traces: list[str] = []
    enough = asyncio.Event()

    async def work() -> None:
        traces.append(logs.trace.get())
        assert system_context("app").trace == traces[-1]
        if len(traces) == 2:
            enough.set()

    running = asyncio.create_task(
        run_periodically(work, every=0.001, name="test", immediately=True)
    )
    await enough.wait()
    await stop([running])

    assert len(set(traces)) == 2
    assert all(len(trace) == 55 for trace in traces)
    assert logs.trace.get() == ""


def test_a_line_has_the_trace_of_its_work() -> None:
    """A log line that names another trace keeps it."""
    with traced("test"):
        trace = logs.trace.get()
        assert logs._add_work(None, "info", {"event": "x"})["trace"] == trace[3:35]
        assert logs._add_work(None, "info", {"event": "x", "trace": "t"})["trace"] == "t"
    assert "trace" not in logs._add_work(None, "info", {"event": "x"})


async def test_each_round_is_in_the_metrics() -> None:
    """Rounds by outcome, the time of the last success, and how often there should be one."""
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise Unavailable("away")
        if rounds == 4:
            raise KeyError("the end of the test")

    with pytest.raises(KeyError):
        await run_periodically(work, every=0.01, name="counted", immediately=True)

    def runs(outcome: str) -> float:
        return float(metrics.JOB_RUNS.labels("counted", outcome)._value.get())

    assert (runs("ok"), runs("failed")) == (2, 1)
    assert metrics.JOB_INTERVAL.labels("counted")._value.get() == 0.01
    assert 0 <= time.time() - metrics.JOB_SUCCESS.labels("counted")._value.get() < 60
