"""`make bench`: named workloads against a running deployment, as a table and as JSON.

make bench                         all workloads on a deployment of its own
make bench ARGS="W1 W3"            some of them
make bench ARGS="--summary s.json --pid 123"    on a running deployment (`aero2 up`)
make bench ARGS="--together"       side by side with all services in one process, interleaved
make bench ARGS="--peer"           side by side with oidc-provider from npm, interleaved
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench import peer, report
from bench.catalogue import WORKLOADS, prepare
from bench.deployment import Deployment, free_port, read_summary, started_deployment
from bench.processes import Cpu, cpu, machine_speed, memory
from bench.workloads import Workload

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One run of one workload. CPU is in µs per request."""

    side: str
    workload: str
    requests_per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float
    services_us: float
    postgres_us: float
    nats_us: float
    errors: int


def measure(side: str, workload: Workload, usage: Callable[[], Cpu], seconds: float) -> Row:
    """Warms up, then runs a workload and counts the CPU that it used."""
    workload.ready()(min(1.0, seconds / 3))
    run = workload.ready()
    before = usage()
    result = run(seconds)
    time.sleep(0.15)  # counts work that follows the requests, such as the outbox
    used = usage() - before
    each = 1e6 / max(1, result.requests)
    return Row(
        side=side,
        workload=workload.name,
        requests_per_second=round(result.requests / result.seconds, 1),
        p50_us=result.p50,
        p99_us=result.p99,
        cpu_us=round(used.total * each, 1),
        services_us=round(used.services * each, 1),
        postgres_us=round(used.postgres * each, 1),
        nats_us=round(used.nats * each, 1),
        errors=result.errors,
    )


def main() -> int:
    """Measures the workloads. Returns 1 if a request failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each counted run")
    parser.add_argument("--rounds", type=int, default=3, help="counted runs, interleaved")
    parser.add_argument("--summary", type=Path, help="summary file of a running deployment")
    parser.add_argument("--pid", type=int, help="process id of its `aero2 up`")
    parser.add_argument("--peer", action="store_true", help="side by side with oidc-provider")
    parser.add_argument("--together", action="store_true", help="side by side with up --together")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json")
    options = parser.parse_args()
    names = options.workloads or list(WORKLOADS)
    if unknown := [name for name in names if not any(key.startswith(name) for key in WORKLOADS)]:
        parser.error(f"no such workload: {', '.join(unknown)}")
    with contextlib.ExitStack() as stack:
        if options.summary:
            if not options.pid:
                parser.error("--summary needs --pid: the CPU of that process tree is counted")
            deployment = read_summary(options.summary, options.pid, 0.0)
        else:
            deployment = stack.enter_context(started_deployment(free_port()))
        rows = run_rounds(stack, deployment, names, options)
        facts = {
            "speed_ms": machine_speed(),
            "started_in_s": deployment.started_in,
            "memory_at_rest_mib": deployment.memory_at_rest,
            "memory_after_mib": memory(deployment.pid),
        }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(
        json.dumps({"facts": facts, "rows": [asdict(row) for row in rows]}, indent=1)
    )
    print(report.table(rows, facts))
    return 1 if any(row.errors for row in rows) else 0


def run_rounds(
    stack: contextlib.ExitStack,
    deployment: Deployment,
    names: list[str],
    options: argparse.Namespace,
) -> list[Row]:
    """Runs every workload `rounds` times, on our side and on the peer's in turn."""
    ours = prepare(deployment, names)
    together = _together(stack, names) if options.together else None
    theirs = stack.enter_context(peer.started(deployment, names)) if options.peer else None
    rows: list[Row] = []
    for number in range(options.rounds):
        for name, workload in ours.items():
            rows.append(measure("aero2", workload, lambda: cpu(deployment.pid), options.seconds))
            print(f"  {number + 1}/{options.rounds} {rows[-1]}", file=sys.stderr)
            if together is not None:
                one, workloads = together
                usage = partial(cpu, one.pid)
                rows.append(measure("together", workloads[name], usage, options.seconds))
                print(f"  {number + 1}/{options.rounds} {rows[-1]}", file=sys.stderr)
            if theirs is not None and name in theirs.workloads:
                usage = partial(_peer_cpu, theirs.pid, deployment.pid)
                other = measure("oidc-provider", theirs.workloads[name], usage, options.seconds)
                rows.append(other)
                print(f"  {number + 1}/{options.rounds} {other}", file=sys.stderr)
    return rows


def _together(
    stack: contextlib.ExitStack, names: list[str]
) -> tuple[Deployment, dict[str, Workload]]:
    """Starts a second deployment, with all services in one process."""
    one = stack.enter_context(started_deployment(free_port(), "--together"))
    return one, prepare(one, names)


def _peer_cpu(node: int, deployment: int) -> Cpu:
    """Returns the CPU of the peer: its process, and the Postgres server that it shares with Aero2.
    The two never run at the same time."""
    return Cpu(cpu(node).services, cpu(deployment).postgres, 0.0)


if __name__ == "__main__":
    sys.exit(main())
