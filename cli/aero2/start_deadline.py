"""Decides how long the start of processes is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

MEASUREMENTS: Final = 10
"""How often progress is measured within the limit: measuring walks through all processes."""
MAX_LIMITS: Final = 5
"""The wait ends after so many times the limit, whatever the progress: a process may work without end."""


@dataclass
class StartDeadline:
    """Ends the wait after `limit` seconds without progress, and after MAX_LIMITS times as many in any case.
    All times are in seconds of one monotonic clock."""

    limit: float
    started: float
    progressed: float = 0.0
    measured: float = 0.0
    last: object = None

    def __post_init__(self) -> None:
        self.progressed = self.measured = self.started

    def is_measurement_due(self, now: float) -> bool:
        """Whether progress has to be measured again."""
        return now - self.measured >= self.limit / MEASUREMENTS

    def record(self, now: float, measure: object) -> None:
        """Records a measure of progress. A measure that differs from the last one is progress."""
        self.measured = now
        if measure != self.last:
            self.last, self.progressed = measure, now

    def reason(self, now: float) -> str | None:
        """Returns the reason why the wait ends, or None if it continues."""
        if now - self.progressed >= self.limit:
            return f"made no progress for {self.limit:g} s"
        if now - self.started >= self.limit * MAX_LIMITS:
            return f"was not ready within {self.limit * MAX_LIMITS:g} s"
        return None


def measure_progress(pid: int, log: Path) -> tuple[int, int, int]:
    """Returns numbers of which one changes while a process and its children work: the pid, CPU time in whole
    seconds (waiting for others takes a little, too), and the bytes of the log."""
    try:
        root = psutil.Process(pid)
        seconds = sum(_cpu_seconds(each) for each in (root, *root.children(recursive=True)))
    except psutil.Error:
        seconds = 0.0
    return pid, int(seconds), log.stat().st_size if log.exists() else 0


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
