"""Worker processes start on first use, are killed at their limit, and are shared fairly."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses


@pytest.fixture
async def workers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerProcesses]:
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", here + os.pathsep + os.environ.get("PYTHONPATH", ""))
    made = WorkerProcesses("worker_jobs", workers=2, seconds=1.0)
    yield made
    made.close()


async def _until_ended(workers: WorkerProcesses) -> None:
    while workers.running:
        await asyncio.sleep(0.02)


async def test_jobs_run_in_processes_that_start_on_first_use(workers: WorkerProcesses) -> None:
    """The first job starts a process, and later jobs use it."""
    assert workers.running == 0
    first, second = await workers.run("a", "pid"), await workers.run("a", "pid")

    assert first == second != os.getpid()
    assert workers.running == 1


async def test_a_job_is_ended_at_its_limit(workers: WorkerProcesses) -> None:
    """The process of a job over its limit is killed. The next job gets a new one."""
    with pytest.raises(TookTooLong):
        await workers.run("a", "hang")

    assert workers.running == 0
    assert await workers.run("a", "pid") != os.getpid()


async def test_a_caller_that_gives_up_ends_the_job(workers: WorkerProcesses) -> None:
    """A job ends with its caller."""
    await workers.run("a", "pid")
    task = asyncio.create_task(workers.run("a", "hang"))
    await asyncio.sleep(0.1)
    task.cancel()
    await _until_ended(workers)

    assert task.cancelled()


async def test_one_application_never_holds_every_process(workers: WorkerProcesses) -> None:
    """While one application's jobs hang and wait, another one is served."""
    hanging = [asyncio.create_task(workers.run("a", "hang")) for _ in range(3)]
    await asyncio.sleep(0)

    assert await workers.run("b", "pid") != os.getpid()
    assert not all(task.done() for task in hanging)

    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_an_error_is_named_and_the_process_stays(workers: WorkerProcesses) -> None:
    """An exception is reported as a failure of the job, without its message. A dead process is
    reported too."""
    pid = await workers.run("a", "pid")
    with pytest.raises(WorkerFailed, match="fail: ZeroDivisionError"):
        await workers.run("a", "fail")

    assert await workers.run("a", "pid") == pid
    with pytest.raises(WorkerFailed, match="died"):
        await workers.run("a", "die")


async def test_an_idle_process_ends(workers: WorkerProcesses) -> None:
    """A process without work ends by itself."""
    workers.idle = 0.05
    await workers.run("a", "pid")
    await _until_ended(workers)

    assert workers.running == 0


async def test_a_process_knows_no_secret(
    workers: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process does not get the service's environment with its keys and passwords."""
    monkeypatch.setenv("AERO2_MASTER_KEY", "secret")

    assert "AERO2_MASTER_KEY" in os.environ
    assert not [name for name in await workers.run("a", "environment") if "AERO2" in name]


async def test_a_job_does_not_hold_the_event_loop(workers: WorkerProcesses) -> None:
    """The event loop runs while a job works."""
    await workers.run("a", "pid")
    task, turns, start = asyncio.create_task(workers.run("a", "hang")), 0, time.monotonic()
    while not task.done() and time.monotonic() - start < 30:
        turns += 1
        await asyncio.sleep(0.01)

    assert turns > 5
    assert isinstance(task.exception(), TookTooLong)
