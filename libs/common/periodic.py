"""Periodic work for the life of a process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from common import logs, metrics
from common.context import traced
from common.db_errors import FAILURES
from common.problems import Problem

log = logs.get(__name__)

FAULTS: Final = (*FAILURES, Problem)
"""The database or another service does not answer as it should. The next round may succeed."""


async def run_periodically(
    work: Callable[[], Awaitable[object]], *, every: float, name: str, immediately: bool = False
) -> None:
    """Runs a round within `every` seconds of the last one, at times that replicas do not share.
    Runs until cancelled."""
    report = _JobReport(name, every)
    if not immediately:
        await _pause(every)
    while True:
        with traced(name):
            try:
                await work()
            except FAULTS as error:
                report.failed()
                log.warning("round failed", work=name, error=type(error).__name__)
            else:
                report.succeeded()
        await _pause(every)


class _JobReport:
    """The metrics of one periodic job of one service: several services may share a process."""

    def __init__(self, name: str, every: float) -> None:
        metrics.maintain(metrics.JOB_RUNS, metrics.JOB_SUCCESS, metrics.JOB_INTERVAL)
        service = logs.service.get()
        self.name = f"{service} {name}" if service else name
        metrics.JOB_INTERVAL.labels(self.name).set(every)
        metrics.JOB_SUCCESS.labels(self.name).set_to_current_time()
        for outcome in ("ok", "failed"):
            metrics.JOB_RUNS.labels(self.name, outcome)

    def succeeded(self) -> None:
        metrics.JOB_RUNS.labels(self.name, "ok").inc()
        metrics.JOB_SUCCESS.labels(self.name).set_to_current_time()

    def failed(self) -> None:
        metrics.JOB_RUNS.labels(self.name, "failed").inc()


async def flush_periodically(
    flush: Callable[[], Awaitable[None]], *, every: float, noted: asyncio.Event
) -> None:
    """Writes gathered data within `every` seconds after the first of it was noted, and when the
    process ends. Sleeps while nothing is noted."""
    try:
        while True:
            await noted.wait()
            await asyncio.sleep(every)
            noted.clear()
            with traced("flush"):
                await flush()
    finally:
        await flush()


async def stop(tasks: Iterable[asyncio.Task[Any]], *, timeout: float = 2.0) -> None:
    """Cancels tasks until they have ended. In Python 3.11, `wait_for`, which nats-py uses, loses a
    cancellation that comes together with the answer."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=timeout)


async def _pause(every: float) -> None:
    await asyncio.sleep(every * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
