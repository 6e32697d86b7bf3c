"""`make bench`: named workloads against a running deployment, as tables and as JSON.

make bench                         all workloads on a deployment of its own
make bench ARGS="W1 W3"            some of them
make bench ARGS="--summary s.json --pid 123"    on a running deployment (`aero2 up`)
make bench ARGS="--together"       side by side with all services in one process, in turn
make bench ARGS="--peer"           side by side with peers from npm, in turn
make bench ARGS="--peer --docs"    a run of hours that is written into docs/performance.md

With --docs, every side is warmed for 30 s a workload, its data ages for ten minutes, and five rounds
are counted. Nothing is written if the machine was busy with other things.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from bench import machine, publication, report
from bench.catalogue import WORKLOADS, prepare
from bench.deployment import Deployment, free_port, read_summary, started_deployment
from bench.peer import better_auth, oidc_provider
from bench.processes import Cpu, cpu, machine_speed, memory
from bench.rounds import Measurement, Plan, Side, run
from bench.windows import OURS, TOGETHER

RESULTS = Path(__file__).parent / "results"
PEERS = {"oidc-provider": oidc_provider.started, "better-auth": better_auth.started}
SHORT = Plan(seconds=4.0, rounds=3, warm=1.0, age=0.0, idle=5.0)
LONG = Plan(seconds=4.0, rounds=5, warm=30.0, age=600.0, idle=30.0)
"""What --docs needs."""


def main() -> int:
    """Measures the workloads. Returns 1 if a request failed, and 2 if the documentation was not
    written though --docs asks for it."""
    options = _options()
    plan = _plan(options)
    with contextlib.ExitStack() as stack:
        deployment = _deployment(stack, options)
        sides = _sides(stack, deployment, options)
        measurement = run(sides, list(sides[0].workloads), plan)
        facts = _facts(deployment, plan)
    reasons = publication.reasons_against(plan, measurement)
    _store(options.json, facts, measurement, reasons)
    text = report.tables(measurement.rows, measurement.idle, facts)
    print(text)
    if options.docs:
        for reason in reasons:
            print(f"not written: {reason}", file=sys.stderr)
        if not publication.write(text, reasons):
            return 2
    return 1 if any(row.errors for row in measurement.rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--seconds", type=float, help="length of each window")
    parser.add_argument("--rounds", type=int, help="counted rounds")
    parser.add_argument("--warm", type=float, help="seconds before, for each workload and side")
    parser.add_argument("--age", type=float, help="seconds of load on each side before the rounds")
    parser.add_argument("--idle", type=float, help="seconds without requests")
    parser.add_argument("--summary", type=Path, help="summary file of a running deployment")
    parser.add_argument("--pid", type=int, help="process id of its `aero2 up`")
    parser.add_argument("--together", action="store_true", help="side by side with up --together")
    parser.add_argument("--peer", action="store_true", help="side by side with the peers")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="which ones")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json")
    options = parser.parse_args()
    options.names = options.workloads or list(WORKLOADS)
    existing_names = [
        name for name in options.names if any(key.startswith(name) for key in WORKLOADS)
    ]
    if unknown := set(options.names) - set(existing_names):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    if options.summary and not options.pid:
        parser.error("--summary needs --pid: the CPU of that process tree is counted")
    return options


def _plan(options: argparse.Namespace) -> Plan:
    option_values = {
        name: getattr(options, name) for name in ("seconds", "rounds", "warm", "age", "idle")
    }
    chosen = {name: value for name, value in option_values.items() if value is not None}
    return replace(LONG if options.docs else SHORT, **chosen)


def _deployment(stack: contextlib.ExitStack, options: argparse.Namespace) -> Deployment:
    if options.summary:
        return read_summary(options.summary, options.pid, 0.0)
    return stack.enter_context(started_deployment(free_port()))


def _sides(
    stack: contextlib.ExitStack, deployment: Deployment, options: argparse.Namespace
) -> Sequence[Side]:
    """Returns our side, all services in one process if asked for, and the peers."""
    workloads = prepare(deployment, options.names)
    ours = Side(OURS, workloads, lambda: cpu(deployment.pid), (deployment.pid,))
    sides = [ours]
    if options.together:
        one = stack.enter_context(started_deployment(free_port(), "--together"))
        together = prepare(one, options.names)
        sides.append(Side(TOGETHER, together, lambda: cpu(one.pid), (one.pid,)))
    for name in options.peers if options.peer else ():
        peer = stack.enter_context(PEERS[name](deployment, options.names))
        usage = partial(_peer_cpu, peer.pid, deployment.pid)
        sides.append(Side(name, peer.workloads, usage, (peer.pid,)))
    return sides


def _peer_cpu(node: int, deployment: int) -> Cpu:
    """Returns the CPU of a peer: its process, and the Postgres server that it shares with Aero2.
    The two never run at the same time."""
    return Cpu(cpu(node).services, cpu(deployment).postgres, 0.0)


def _facts(deployment: Deployment, plan: Plan) -> dict[str, object]:
    """Returns what a reader needs to judge the figures."""
    return {
        "interpreter": machine.interpreter(),
        "machine": machine.hardware(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "speed of a fixed loop": f"{machine_speed()} ms",
        "plan": ", ".join(f"{name} {value:g}" for name, value in asdict(plan).items()),
        "start to ready": f"{deployment.started_in} s",
        "memory at rest, MiB": deployment.memory_at_rest,
        "memory after, MiB": memory(deployment.pid),
    }


def _store(
    file: Path, facts: dict[str, object], measurement: Measurement, reasons: Sequence[str]
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = {
        "facts": facts,
        "rows": [asdict(row) for row in measurement.rows],
        "disturbances": [asdict(each) for each in measurement.disturbances],
        "idle": {side: asdict(used) for side, used in measurement.idle.items()},
        "not_for_the_documentation": reasons,
    }
    file.write_text(json.dumps(parts, indent=1))


if __name__ == "__main__":
    sys.exit(main())
