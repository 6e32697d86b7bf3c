"""Waits until the processes that were started together are ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aero2.failures import CommandError
from aero2.program import RunningProgram
from aero2.start_deadline import StartDeadline, measure_progress

POLL: Final = 0.05
WAIT_REPORT: Final = 20.0
"""Seconds between two reports of what a start waits for."""

Report = Callable[[str, str], None]
"""Called with a sentence about a process, and with the end of its log."""


@dataclass(frozen=True)
class StartWait:
    """The start of a group. `log` and `tail` return the log of a program, and its end."""

    group: list[RunningProgram]
    within: float
    log: Callable[[str], Path]
    tail: Callable[[str], str]
    report: Report

    async def run(self) -> None:
        """Returns when all are ready. Raises CommandError as `Supervisor.start` does."""
        deadline = StartDeadline(self.within, time.monotonic())
        waits = [asyncio.create_task(self._until_ready(each, deadline)) for each in self.group]
        reporting = asyncio.create_task(self._report_waiting())
        try:
            await asyncio.gather(*waits)
        finally:
            for task in (*waits, reporting):
                task.cancel()

    async def _until_ready(self, each: RunningProgram, deadline: StartDeadline) -> None:
        while (reason := deadline.reason(time.monotonic())) is None:
            if each.refused is not None:
                raise each.refused
            if each.alive and await each.program.ready():
                each.was_ready = True
                return
            if deadline.is_measurement_due(now := time.monotonic()):
                deadline.record(now, [self._progress(other, now) for other in self.group])
            await asyncio.sleep(POLL)
        raise CommandError(
            f"{each.name} {reason} (--start-limit); its log is {self.log(each.name)}.",
            detail=self.tail(each.name),
        )

    def _progress(self, each: RunningProgram, now: float) -> object:
        """Returns a measure of progress. Preparing a start always counts: it has its own time limits."""
        if each.process is None:
            return now
        return measure_progress(each.process.pid, self.log(each.name))

    async def _report_waiting(self) -> None:
        """Reports every WAIT_REPORT seconds which programs are not ready yet."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(WAIT_REPORT)
            names = ", ".join(each.name for each in self.group if not each.was_ready)
            if names:
                seconds = time.monotonic() - began
                logs = self.log(self.group[0].name).parent
                self.report(f"Waiting for {names} ({seconds:.0f} s); logs: {logs}.", "")
