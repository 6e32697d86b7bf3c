"""`python -m bench.bus_calls [--other TREE]`: what one call over the bus costs.

A caller and a service, each a process with uvloop as in production, over a nats-server of their own. With
`--other`, the same runs against the code of another tree (a worktree of an older commit), interleaved
round by round: only the ratio of such a run says something about the code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from common.bus import NatsBus
from common.bus_server import BusServer
from common.connections import Connections, connect
from common.context import Context
from common.contracts.base import OPEN, Contract, Request
from common.settings import Settings
from common.testing import context

TREE = Path(__file__).parents[1]
APP = "01900000-0000-7000-8000-00000000000a"
UNDER_WAY = (1, 16, 64)
"""Calls that a caller keeps under way."""
KEY = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Answer(Contract):
    """About as much as a session check answers."""

    text: str = ""


class Ask(Request[Answer], subject="bench.thing.read", needs=OPEN, within=10.0):
    """A question that needs no work."""

    text: str = ""


@dataclass(frozen=True)
class Run:
    """One round of one side. CPU and waiting times are in µs a call."""

    side: str
    under_way: int
    calls_per_second: float
    p50: float
    p99: float
    caller: float
    service: float
    nats: float

    @property
    def cpu(self) -> float:
        """Returns the CPU of both ends, without the server between them."""
        return self.caller + self.service


async def _connections(url: str, name: str) -> Connections:
    settings = Settings(nats_url=url, master_key=KEY, log_level="error")  # type: ignore[arg-type]
    return await connect(settings, name)


def _tell(line: str) -> None:
    """Writes a line for the process that started this one. Log lines go to standard output, which is
    /dev/null: they are part of what a call costs, but nobody reads them."""
    os.write(3, f"{line}\n".encode())


async def _serve(url: str) -> None:
    links = await _connections(url, "bench")
    server = await BusServer.start(links.nc, "bench", "0.1.0", None)

    async def answer(_: Any, ctx: Context, request: Ask) -> Answer:
        return Answer(text=request.text)

    await server.add(Ask, answer)
    await asyncio.sleep(0.2)  # an older client's flush is no barrier
    _tell("ready")
    await asyncio.Event().wait()


async def _call(url: str) -> None:
    links = await _connections(url, "caller")
    _tell("ready")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        under_way, seconds = json.loads(line)
        started, cpu = time.perf_counter(), time.process_time()
        waits = await _keep(links.bus, under_way, started + seconds)
        taken, used = time.perf_counter() - started, time.process_time() - cpu
        waits.sort()
        result = {
            "calls": len(waits),
            "seconds": taken,
            "cpu": used,
            "p50": waits[len(waits) // 2],
            "p99": waits[int(len(waits) * 0.99)],
        }
        _tell(json.dumps(result))


async def _keep(bus: NatsBus, under_way: int, until: float) -> list[float]:
    waits: list[float] = []
    request = Ask(text="x" * 200)

    async def one_after_another() -> None:
        while (start := time.perf_counter()) < until:
            await bus.call(context(APP, within=10), request)
            waits.append(time.perf_counter() - start)

    await asyncio.gather(*(one_after_another() for _ in range(under_way)))
    return waits


class Side:
    """The two ends of a call, with the code of one tree."""

    def __init__(self, name: str, tree: Path, url: str) -> None:
        self.name = name
        environment = os.environ | {"PYTHONPATH": f"{tree / 'libs'}:{TREE}"}
        self.service = self._start("serve", url, environment)
        self.caller = self._start("call", url, environment)

    def _start(self, role: str, url: str, environment: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench.bus_calls", "--role", role, url]
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3>&1 >/dev/null', "sh", *command],
            cwd=TREE,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the {role} process of {self.name} did not start")
        return process

    def run(self, under_way: int, seconds: float, nats: psutil.Process) -> Run:
        """Makes calls for some seconds."""
        assert self.caller.stdin is not None
        assert self.caller.stdout is not None
        before = _cpu(self.service.pid), _cpu(nats.pid)
        self.caller.stdin.write(json.dumps([under_way, seconds]) + "\n")
        self.caller.stdin.flush()
        result = json.loads(self.caller.stdout.readline())
        each = 1e6 / result["calls"]
        return Run(
            side=self.name,
            under_way=under_way,
            calls_per_second=round(result["calls"] / result["seconds"]),
            p50=round(result["p50"] * 1e6, 1),
            p99=round(result["p99"] * 1e6, 1),
            caller=round(result["cpu"] * each, 1),
            service=round((_cpu(self.service.pid) - before[0]) * each, 1),
            nats=round((_cpu(nats.pid) - before[1]) * each, 1),
        )

    def stop(self) -> None:
        """Ends both processes."""
        for process in (self.caller, self.service):
            process.kill()
            process.wait()


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def _nats_server() -> Iterator[tuple[str, psutil.Process]]:
    program = Path(sys.executable).parent / "nats-server"
    with tempfile.TemporaryDirectory() as folder:
        ports = ["--ports_file_dir", folder, "-a", "127.0.0.1", "-p", "-1"]
        process = subprocess.Popen([program, *ports], stderr=subprocess.DEVNULL)
        try:
            while not (files := list(Path(folder).glob("*.ports"))):
                time.sleep(0.02)
            time.sleep(0.1)
            yield json.loads(files[0].read_text())["nats"][0], psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()


def _report(runs: list[Run]) -> Table:
    table = Table("calls under way", "side", "calls/s", "p50 µs", "p99 µs", "CPU µs", "nats µs")
    by_kind: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in runs:
        by_kind[run.under_way, run.side].append(run)
    first = next(iter(by_kind))[1]
    for (under_way, side), some in by_kind.items():
        base = by_kind[under_way, first]

        def cell(value: str, some: list[Run] = some, base: list[Run] = base) -> str:
            ours = statistics.median(getattr(run, value) for run in some)
            ratio = statistics.median(
                getattr(run, value) / max(getattr(other, value), 0.1)
                for run, other in zip(some, base, strict=True)
            )
            return f"{ours:.0f} ({ratio:.2f})"

        columns = ("calls_per_second", "p50", "p99", "cpu", "nats")
        table.add_row(str(under_way), side, *(cell(column) for column in columns))
    return table


def main() -> None:
    """Runs the comparison and prints medians. In brackets: the median ratio to the first side."""
    parser = argparse.ArgumentParser(prog="python -m bench.bus_calls")
    parser.add_argument("--other", type=Path, help="a tree with other code, measured first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path, help="write all rounds to this file")
    parser.add_argument("--role", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        role, url = options.role
        uvloop.run({"serve": _serve, "call": _call}[role](url))
        return
    trees = {"other": options.other} if options.other else {}
    runs = []
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, tree in (trees | {"this": TREE}).items():
            url, nats = stack.enter_context(_nats_server())
            servers[name] = (side := Side(name, tree.resolve(), url)), nats
            stack.callback(side.stop)
        for number in range(options.rounds + 1):
            for under_way in UNDER_WAY:
                for side, nats in servers.values():
                    run = side.run(under_way, options.seconds if number else 1.0, nats)
                    runs += [run] if number else []  # the first round warms up
    Console().print(_report(runs))
    if options.json:
        options.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
