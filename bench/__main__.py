"""`make bench`: named workloads against a running deployment, as a table and as JSON.

make bench                         all workloads on a deployment of its own
make bench ARGS="W1 W3"            some of them
make bench ARGS="--summary s.json --pid 123"    against one that runs (`aero2 up`)
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
from bench.deployment import Deployment, described, free_port, fresh
from bench.processes import Cpu, cpu, memory, speed
from bench.workloads import WORKLOADS, Workload, prepare

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One run of one workload. CPU is µs per request."""

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


def measured(side: str, workload: Workload, usage: Callable[[], Cpu], seconds: float) -> Row:
    """Warm up, then count CPU from just before the load to just after it."""
    workload.ready()(min(1.0, seconds / 3))
    run = workload.ready()
    before = usage()
    seen = run(seconds)
    time.sleep(0.15)  # what the load caused, the outbox above all, belongs to it
    used = usage() - before
    each = 1e6 / max(1, seen.requests)
    return Row(
        side=side,
        workload=workload.name,
        requests_per_second=round(seen.requests / seen.seconds, 1),
        p50_us=seen.p50,
        p99_us=seen.p99,
        cpu_us=round(used.total * each, 1),
        services_us=round(used.services * each, 1),
        postgres_us=round(used.postgres * each, 1),
        nats_us=round(used.nats * each, 1),
        errors=seen.errors,
    )


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    options.add_argument("--seconds", type=float, default=4.0, help="of each counted run")
    options.add_argument("--rounds", type=int, default=3, help="counted runs, interleaved")
    options.add_argument("--summary", type=Path, help="of a running deployment")
    options.add_argument("--pid", type=int, help="of its `aero2 up`")
    options.add_argument("--peer", action="store_true", help="side by side with oidc-provider")
    options.add_argument("--json", type=Path, default=RESULTS / "latest.json")
    asked = options.parse_args()
    names = asked.workloads or list(WORKLOADS)
    if unknown := [name for name in names if not any(key.startswith(name) for key in WORKLOADS)]:
        options.error(f"no such workload: {', '.join(unknown)}")
    with contextlib.ExitStack() as stack:
        if asked.summary:
            if not asked.pid:
                options.error("--summary needs --pid, or whose CPU should be counted?")
            deployment = described(asked.summary, asked.pid, 0.0)
        else:
            deployment = stack.enter_context(fresh(free_port()))
        rows = rounds(stack, deployment, names, asked)
        facts = {
            "speed_ms": speed(),
            "started_in_s": deployment.started_in,
            "memory_at_rest_mib": deployment.memory_at_rest,
            "memory_after_mib": memory(deployment.pid),
        }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(
        json.dumps({"facts": facts, "rows": [asdict(row) for row in rows]}, indent=1)
    )
    print(report.table(rows, facts))
    return 1 if any(row.errors for row in rows) else 0


def rounds(
    stack: contextlib.ExitStack,
    deployment: Deployment,
    names: list[str],
    request: argparse.Namespace,
) -> list[Row]:
    """Every workload `rounds` times, our side and the peer's in turn."""
    ours = prepare(deployment, names)
    theirs = stack.enter_context(peer.started(deployment, names)) if request.peer else None
    rows: list[Row] = []
    for number in range(request.rounds):
        for name, workload in ours.items():
            rows.append(measured("aero2", workload, lambda: cpu(deployment.pid), request.seconds))
            print(f"  {number + 1}/{request.rounds} {rows[-1]}", file=sys.stderr)
            if theirs is not None and name in theirs.workloads:
                usage = partial(_peer_cpu, theirs.pid, deployment.pid)
                other = measured("oidc-provider", theirs.workloads[name], usage, request.seconds)
                rows.append(other)
                print(f"  {number + 1}/{request.rounds} {other}", file=sys.stderr)
    return rows


def _peer_cpu(node: int, deployment: int) -> Cpu:
    """Its own process, and the Postgres server that both use, in turn."""
    return Cpu(cpu(node).services, cpu(deployment).postgres, 0.0)


if __name__ == "__main__":
    sys.exit(main())
