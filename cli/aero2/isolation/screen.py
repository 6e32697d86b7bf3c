"""The report of `aero2 doctor isolation` as text, and its progress."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aero2.figures import printable
from aero2.isolation.report import WORKS, Report, Tried


class Progress:
    """A bar on standard error. Nothing if it is quiet, or without a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._bar = rich_progress.Progress(
            *rich_progress.Progress.get_default_columns(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows a step."""
        self._bar.update(self._task, description=step, completed=done, total=total or None)


def print_report(report: Report, *, as_json: bool) -> None:
    """Prints the report for people, or as JSON."""
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        show(report, Console(highlight=False))


def show(report: Report, console: Console) -> None:
    """Prints operations by the first word of their path, what crossed, and what could not be shown."""
    console.print(_table(report.tried))
    console.print(f"The applications were on the database clusters {' and '.join(report.homes)}.")
    _reasons(console, "Not tried across", [(each.name, each.untried) for each in report.untried])
    _reasons(console, "Not covered: success of the owner is not shown", _controls(report.uncovered))
    _reasons(console, "Not judged: the owner was refused, too", _controls(report.failed))
    for each in report.crossings:
        line = f"{each.operation} with {each.credential} at {each.host} {each.what}"
        console.print(Text("crossing  ", style="bold red") + Text(printable(line)), soft_wrap=True)
    attempts = sum(each.attempts for each in report.tried)
    style = "bold red" if report.crossings else "green"
    console.print(
        f"{len(report.tried)} operations, {attempts} attempts, ",
        Text(f"{len(report.crossings)} crossings", style=style),
        sep="",
    )


def _table(tried: Iterable[Tried]) -> Table:
    table = Table("operations of", "tried", "attempts", "answered with", "owner can")
    groups: defaultdict[str, list[Tried]] = defaultdict(list)
    for each in tried:
        groups[_group(each.name)].append(each)
    for name, members in groups.items():
        answers: Counter[str] = Counter()
        for each in members:
            for answer, count in each.refusals.items():
                answers[answer.partition(" ")[0]] += count
        table.add_row(
            name,
            str(len(members)),
            str(answers.total()),
            ", ".join(f"{status}: {count}" for status, count in sorted(answers.items())),
            str(sum(each.control == WORKS for each in members)),
        )
    return table


def _group(name: str) -> str:
    """Returns `/api/users` of `GET /api/users/{id}`, and `Dashboard: …` of what developers do."""
    path = name.partition(" ")[2]
    inner = path.removeprefix("/api/applications/{slug}")
    if inner != path:
        return f"Dashboard: /{inner.strip('/').partition('/')[0]}"
    parts = path.strip("/").split("/")
    return "/" + "/".join(parts[:2] if parts[0] == "api" else parts[:1])


def _controls(tried: Iterable[Tried]) -> list[tuple[str, str]]:
    return [(each.name, each.control) for each in tried]


def _reasons(console: Console, title: str, operations: list[tuple[str, str]]) -> None:
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for name, reason in operations:
        by_reason[reason].append(name)
    if by_reason:
        console.print(f"{title}:")
    for reason, names in by_reason.items():
        console.print(Text(f"  {printable(reason)}"), soft_wrap=True)
        for name in names:
            console.print(Text(f"    {name}", style="dim"), soft_wrap=True)
