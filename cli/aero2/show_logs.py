"""`aero2 logs`: shows the logs of a data folder, in the order of time across processes."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final

from aero2.environment import JOBS
from aero2.failures import CommandError
from aero2.log_files import LogFollower, LogLine, read_lines
from aero2.together_programs import runs_all_services

POLL: Final = 0.2
"""Seconds between two looks at the files of `--follow`."""
TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?")
"""A trace id, or a W3C traceparent that holds one."""

SERVICES: Final = ("gateway", *JOBS)

Show = Callable[[str], None]
Matcher = Callable[[LogLine], bool]


@dataclass(frozen=True)
class Options:
    """`service` is a service or a process, and None means all of them; `trace` is a trace id in hex."""

    folder: Path
    service: str | None = None
    trace: str | None = None
    lines: int = 200
    follow: bool = False
    json: bool = False


def show_logs(options: Options, show: Show) -> None:
    """Shows the last lines, or all lines of one trace; with `follow` also what comes, until Ctrl-C.
    Raises CommandError if there are no logs."""
    followers = [LogFollower(_logs(options.folder), name) for name in _processes(options)]
    traces = None if options.trace is None else _Traces(_trace_id(options.trace))
    if traces is not None:
        for each in followers:
            for line in read_lines(_logs(options.folder), each.process, each.position):
                traces.learn(line)
    matches = _matcher(options, traces)
    form = LogLine.as_json if options.json else LogLine.as_text
    for line in _newest(options, followers, matches):
        show(form(line))
    while options.follow:
        time.sleep(POLL)
        for line in sorted(_new(followers), key=attrgetter("at")):
            if matches(line):
                show(form(line))


def _logs(folder: Path) -> Path:
    return folder / "logs"


def _processes(options: Options) -> list[str]:
    """Returns the processes whose logs are read: of one service its own, and those that run all services."""
    processes = sorted(file.stem for file in _logs(options.folder).glob("*.log"))
    if not processes:
        raise CommandError(
            f"There are no logs in {_logs(options.folder)}. `aero2 up` writes them into its data "
            "folder (--data-dir); with Docker Compose, use `docker compose logs`."
        )
    if options.service is None:
        return processes
    shared = list(filter(runs_all_services, processes)) if options.service in SERVICES else []
    if options.service not in processes and not shared:
        raise CommandError(
            f"There is no log of {options.service}. There are: {', '.join(processes)}."
        )
    wanted = {options.service, *shared, *_replicas(processes, options.service)}
    return [name for name in processes if name in wanted]


def _replicas(processes: list[str], service: str) -> list[str]:
    """Returns the further processes of a service (`aero2 replica`)."""
    return [name for name in processes if name.rpartition("-")[0] == service]


@dataclass(frozen=True)
class _Traces:
    """A trace, and those of requests that came with it as their caller's: these link to it."""

    id: str
    linked: set[str] = field(default_factory=set)

    def learn(self, line: LogLine) -> None:
        """Adds the trace of a request whose line has the link."""
        if line.fields.get("link") == self.id:
            self.linked.add(line.trace)

    def match(self, line: LogLine) -> bool:
        """Returns whether the line is of one of the traces."""
        return self.id in line.trace or line.trace in self.linked


def _matcher(options: Options, traces: _Traces | None) -> Matcher:
    def matches(line: LogLine) -> bool:
        if traces is not None:
            traces.learn(line)
            if not traces.match(line):
                return False
        return options.service in (None, line.process, line.service)

    return matches


def _trace_id(trace: str) -> str:
    match = TRACE.fullmatch(trace.strip().lower())
    if match is None:
        raise CommandError(
            "--trace needs the 32 hex digits of a trace id: the reference on an error page, or "
            "`trace` of a log line or of an audit event."
        )
    return match[1]


def _newest(options: Options, followers: list[LogFollower], matches: Matcher) -> Iterable[LogLine]:
    """Returns the lines to show, the oldest first: of a trace all, otherwise the last ones."""
    most = None if options.trace else options.lines
    per_process = [
        deque(
            filter(matches, read_lines(_logs(options.folder), each.process, each.position)),
            maxlen=most,
        )
        for each in followers
    ]
    return deque(merge(*per_process, key=attrgetter("at")), maxlen=most)


def _new(followers: list[LogFollower]) -> Iterator[LogLine]:
    for follower in followers:
        yield from follower.new_lines()
