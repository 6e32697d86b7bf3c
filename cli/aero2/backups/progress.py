"""Shows how far a backup or a restore is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

INTERVAL: Final = 5.0
"""Seconds between two lines."""


class Reporter:
    """Writes to stderr. Thread safe enough for one writer at a time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Shows a sentence."""
        self._console.print(sentence, markup=False, highlight=False)

    @contextmanager
    def step(self, what: str, total: int) -> Iterator[Step]:
        """Shows a step with `total` units of work while the block runs."""
        if not self._console.is_terminal:
            yield Lines(self, what, max(total, 1))
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[at]}", style="dim"),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=max(total, 1), at="")
            yield Bar(bar, task)
        self.say(f"✓ {what}")


class Step:
    """Work whose amount is known."""

    def advance(self, units: int, at: str = "") -> None:
        """Notes that `units` more are done; `at` is what is under way now."""


class Bar(Step):
    """A step on a terminal."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, units: int, at: str = "") -> None:
        self._bar.advance(self._task, units)
        if at:
            self._bar.update(self._task, at=at)


class Lines(Step):
    """A step in a log: one line at its start, and one every few seconds."""

    def __init__(self, reporter: Reporter, what: str, total: int) -> None:
        self._reporter, self._what, self._total = reporter, what, total
        self._done, self._said = 0, time.monotonic()
        reporter.say(f"{what} …")

    def advance(self, units: int, at: str = "") -> None:
        self._done += units
        if time.monotonic() - self._said >= INTERVAL:
            self._said = time.monotonic()
            percent = min(100, self._done * 100 // self._total)
            self._reporter.say(f"{self._what}: {percent} % {at}".rstrip())
