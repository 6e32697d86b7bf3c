"""How long the start of a process is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

LOOKS: Final = 10
"""How often progress is measured in the seconds of the limit: it walks through all processes."""
AT_MOST: Final = 5
"""Times the limit in all, whatever the progress: a process may work in vain for ever."""


@dataclass
class Patience:
    """Ends after `limit` seconds without progress, and after AT_MOST times as many in all."""

    limit: float
    began: float
    progressed: float = 0.0
    measured: float = 0.0
    last: object = None

    def __post_init__(self) -> None:
        self.progressed = self.measured = self.began

    def due(self, now: float) -> bool:
        """Whether progress has to be measured again."""
        return now - self.measured >= self.limit / LOOKS

    def note(self, now: float, progress: object) -> None:
        """Remember a measure of progress; another one than the last is progress."""
        self.measured = now
        if progress != self.last:
            self.last, self.progressed = progress, now

    def over(self, now: float) -> str | None:
        """Why the wait ends; None while it goes on."""
        if now - self.progressed >= self.limit:
            return f"made no progress for {self.limit:g} s"
        if now - self.began >= self.limit * AT_MOST:
            return f"was not ready within {self.limit * AT_MOST:g} s"
        return None


def progress(pid: int, log: Path) -> tuple[int, int, int]:
    """What grows while a process and its children start: the log, and CPU time in whole seconds
    (one that only waits for others uses a little, too)."""
    try:
        root = psutil.Process(pid)
        spent = sum(_spent(each) for each in (root, *root.children(recursive=True)))
    except psutil.Error:
        spent = 0.0
    return pid, int(spent), log.stat().st_size if log.exists() else 0


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
