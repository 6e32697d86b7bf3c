"""`aero2 top` on a terminal: a table that is written again and again, and the keys that change it."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aero2.failures import CommandError
from aero2.figures import count, duration, milliseconds, printable, rate, share, size
from aero2.metrics_snapshot import Snapshot
from aero2.top import SORT_KEYS, Activity, Traffic, activity

KEYS: Final = {name[0]: name for name in SORT_KEYS}
"""The first letter of each sort key."""
QUIT: Final = "q"
FIXED_LINES: Final = 12
"""Lines that are not rows of routes and contracts, without processes and queues."""
LEAST_ROWS: Final = 3


@dataclass
class TopScreen:
    """Reads the metrics every `interval` seconds, and shows what happened in between."""

    read: Callable[[], Snapshot]
    console: Console
    interval: float = 2.0
    sort: str = "rate"
    rows: int | None = None
    """Routes and contracts at most, each. None: as many as the terminal has room for."""

    def show(self, *, once: bool) -> None:
        """Shows a table until `q`, or one table if that is wanted or there is no terminal."""
        if once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            self.once()
        else:
            self.live()

    def once(self) -> None:
        """Prints one table of everything in one interval."""
        before = self.read()
        time.sleep(self.interval)
        self.console.print(self._table(activity(before, self.read(), self.sort)))

    def live(self) -> None:
        """Shows the table until `q` or Ctrl-C. The terminal is as before after that."""
        before = self.read()
        with _keys() as key, Live(console=self.console, screen=True, auto_refresh=False) as live:
            live.update(Text(f"Reading for {self.interval:g} s …"), refresh=True)
            pressed = key(self.interval)
            while pressed != QUIT:
                self.sort = KEYS.get(pressed or "", self.sort)
                try:
                    after = self.read()
                except CommandError as error:  # the gateway may be about to come back
                    live.update(Text(str(error), style="red"), refresh=True)
                else:
                    live.update(self._table(activity(before, after, self.sort)), refresh=True)
                    before = after
                pressed = key(self.interval)

    def _table(self, current: Activity) -> Group:
        rows = self.rows or self._room(current)
        keys = ", ".join(f"{letter} {name}" for letter, name in KEYS.items())
        head = f"{current.interval:.1f} s, sorted by {self.sort}"
        hint = f"   (sort: {keys}; q ends)" if self.console.is_terminal else ""
        return Group(
            Text(head + hint, style="dim"),
            _traffic("route", current.routes, rows),
            _traffic("contract", current.contracts, rows),
            _processes(current),
            _queues(current),
        )

    def _room(self, current: Activity) -> int:
        if not self.console.is_terminal:
            return 1000
        taken = FIXED_LINES + len(current.processes) + len(current.queues)
        return max(LEAST_ROWS, (self.console.height - taken) // 2)


def check_sort(sort: str) -> None:
    """Raises CommandError if there is no such sort key."""
    if sort not in SORT_KEYS:
        raise CommandError(f"--sort is one of {', '.join(SORT_KEYS)}.")


def new_console() -> Console:
    """Returns a console as wide as the terminal. Without one, no name is cut."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def _new_table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True, min_width=24, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True, min_width=8)
    return table


def _traffic(title: str, traffic: list[Traffic], rows: int) -> Table:
    table = _new_table(title, "per second", "mean", "95 %", "faults", "share")
    for each in traffic[:rows]:
        table.add_row(
            Text(printable(each.name)),
            rate(each.rate),
            milliseconds(each.mean * 1000),
            milliseconds(each.p95 * 1000),
            Text(count(each.faults), style="red" if each.faults else ""),
            share(each.fault_share),
        )
    if len(traffic) > rows:
        table.add_row(Text(f"and {len(traffic) - rows} more", style="dim"))
    return table


def _processes(current: Activity) -> Table:
    table = _new_table("process", "CPU", "memory")
    for each in current.processes:
        table.add_row(Text(printable(each.name)), share(each.cpu), size(each.memory))
    return table


def _queues(current: Activity) -> Table:
    table = _new_table("queue", "entries", "oldest")
    for name, (entries, age) in current.queues.items():
        table.add_row(Text(printable(name)), count(entries), duration(age))
    return table


@contextmanager
def _keys() -> Iterator[Callable[[float], str | None]]:
    """Returns a function that waits for a key, some seconds at most. Keys are not echoed meanwhile."""
    stdin = sys.stdin.fileno()
    earlier = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)

    def key(within: float) -> str | None:
        ready, _, _ = select.select([stdin], [], [], within)
        return os.read(stdin, 1).decode("ascii", "replace") if ready else None

    try:
        yield key
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, earlier)
