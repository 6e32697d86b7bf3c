"""`python -m bench.traces [--before TREE]`: what traces cost.

Deployments without traces, with one of a hundred recorded, and with all recorded, whose collector takes
everything. With `--before`, also one of another tree (a worktree of an older commit). Each workload runs
on all of them in turn, round by round. The result is the CPU time of the services for a request, by the
median of the ratios of each round: a busy machine disturbs both sides of a ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.catalogue import prepare
from bench.deployment import Deployment, free_port, started_deployment
from bench.processes import cpu
from bench.progress import say

WORKLOADS = ["W1-userinfo", "W1-introspection", "W2-es256"]
OFF = "off"
RATIOS = {"1 %": "0.01", "100 %": "1.0"}
"""Recorded parts of all traces, by the name of their side."""
SETTLING = 2.5
"""Seconds for the spans and events of a window to go out."""
DELAY = "1000"
"""Milliseconds that spans wait for others. Shorter than SETTLING."""

Times = dict[str, dict[str, list[float]]]
"""CPU µs of a request, by workload and side, in the order of the rounds."""


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """Runs a collector that takes everything and keeps nothing. Returns its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Writes nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextlib.contextmanager
def sides(before: Path | None, options: list[str]) -> Iterator[dict[str, Deployment]]:
    """Starts all sides, and stops them at the end."""
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(collector())
        variables: dict[str, dict[str, str]] = {OFF: {}}
        for name, ratio in RATIOS.items():
            variables[name] = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": DELAY,
                "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": ratio,
            }
        if before is not None:
            code = [str(before / folder) for folder in ("libs", "services", "cli")]
            variables["before"] = {"PYTHONPATH": os.pathsep.join(code)}
        running = {}
        for name, settings in variables.items():
            say(f"starting {name}")
            started = started_deployment(free_port(), *options, variables=settings)
            running[name] = stack.enter_context(started)
        yield running


def measure(running: dict[str, Deployment], *, rounds: int, seconds: float, warm: float) -> Times:
    """Returns the CPU time of requests. A round runs each workload on all sides, each time beginning with
    another side."""
    times: Times = defaultdict(lambda: defaultdict(list))
    workloads = {name: prepare(one, WORKLOADS) for name, one in running.items()}
    for side in running:
        for workload in workloads[side].values():
            workload.ready()(warm)
    order = list(running)
    for round_ in range(rounds):
        order = [*order[1:], order[0]]
        for name in WORKLOADS:
            for side in order:
                run = workloads[side][name].ready()
                before = cpu(running[side].pid)
                result = run(seconds)
                threading.Event().wait(SETTLING)
                used = (cpu(running[side].pid) - before).services
                times[name][side].append(used * 1e6 / max(result.requests, 1))
        say(f"round {round_ + 1} of {rounds}")
    return times


def table(times: Times) -> Table:
    """Returns the ratios of each side to the one without traces."""
    columns = [side for side in next(iter(times.values())) if side != OFF]
    table = Table("workload", "off, µs", *(f"{side} ÷ off" for side in sorted(columns)))
    for name, by_side in times.items():
        ratios = []
        for side in sorted(columns):
            pairs = zip(by_side[side], by_side[OFF], strict=True)
            rounds = sorted(one / off for one, off in pairs)
            median = statistics.median(rounds)
            ratios.append(f"{median:.2f} ({rounds[0]:.2f} to {rounds[-1]:.2f})")
        table.add_row(name, f"{statistics.median(by_side[OFF]):.0f}", *ratios)
    return table


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--before", type=Path, help="tree of an older commit")
    parser.add_argument("--together", action="store_true", help="all services in one process")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--warm", type=float, default=4.0)
    options = parser.parse_args()
    shape = ["--together"] if options.together else []
    with sides(options.before, shape) as running:
        times = measure(running, rounds=options.rounds, seconds=options.seconds, warm=options.warm)
    Console().print(table(times))


if __name__ == "__main__":
    main()
