"""`make bench`: named workloads against a running deployment, as tables and as JSON.

make bench                         all workloads on a deployment of its own
make bench ARGS="W1 W3"            some of them
make bench ARGS="--summary s.json --pid 123"    on a running deployment (`aero2 up`)
make bench ARGS="--together"       side by side with all services in one process, in turn
make bench ARGS="--peer"           side by side with peers from npm and PyPI, in turn
make bench ARGS="--floor"          side by side with what the same work costs at least
make bench ARGS="--docs"           all of these, written into docs/performance.md: 50 minutes
make bench ARGS="--docs --from bench/results/1.json"    the same from a run that is stored

With --docs, every side is warmed for 30 s or more, the data of all ages for ten minutes, and five
rounds are counted. Nothing is written if the machine was busy with other things. The results are stored
after each window, so a run that is broken off can be looked at with --from.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from bench import machine, publication, report, sides
from bench.catalogue import WORKLOADS
from bench.deployment import read_summary
from bench.measurement import Measurement, Plan
from bench.processes import machine_speed
from bench.progress import say
from bench.rounds import run

RESULTS = Path(__file__).parent / "results"
SHORT = Plan(seconds=4.0, rounds=3, warm=1.0, warm_side=0.0, age=0.0, idle=5.0, attempts=1)
LONG = Plan(seconds=3.0, rounds=5, warm=8.0, warm_side=30.0, age=600.0, idle=30.0, attempts=3)
"""What --docs needs."""
MOST_MINUTES = 50
"""Of a run with --docs, on an idle machine with two cores."""
LOOK = 5.0
"""Seconds in which --docs looks whether the machine is busy, before it starts anything."""


def main() -> int:
    """Measures the workloads. Returns 1 if a request failed, and 2 if the documentation was not
    written though --docs asks for it."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all sides are stopped
    if options.stored:
        measurement = Measurement.load(options.stored)
    elif options.docs and not (now := machine.disturbance_now(LOOK)).is_quiet:
        print(
            f"not started: other processes use {now.others:.0%} of this machine's CPU, and its host takes "
            f"{now.steal:.0%}. Run --docs on a machine that is idle.",
            file=sys.stderr,
        )
        return 2
    else:
        measurement = _measure(options, _plan(options))
    print(report.tables(measurement))
    if options.docs and (reasons := publication.publish(measurement)):
        for reason in reasons:
            print(f"not written: {reason}", file=sys.stderr)
        return 2
    failed = any(row.errors for row in measurement.rows) or measurement.failures
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--seconds", type=float, help="length of each window")
    parser.add_argument("--rounds", type=int, help="counted rounds")
    parser.add_argument("--warm", type=float, help="seconds before, for each workload and side")
    parser.add_argument("--warm-side", type=float, help="seconds before, for each side at least")
    parser.add_argument("--age", type=float, help="seconds of load on all sides before the rounds")
    parser.add_argument("--idle", type=float, help="seconds without requests")
    parser.add_argument("--summary", type=Path, help="summary file of a running deployment")
    parser.add_argument("--pid", type=int, help="process id of its `aero2 up`")
    parser.add_argument("--together", action="store_true", help="side by side with up --together")
    parser.add_argument("--peer", action="store_true", help="side by side with the peers")
    parser.add_argument("--peers", nargs="+", choices=sides.PEERS, help="side by side with these")
    parser.add_argument("--floor", action="store_true", help="side by side with the floors")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md")
    parser.add_argument("--json", type=Path, help="where results are stored")
    parser.add_argument("--from", type=Path, dest="stored", help="results of an earlier run")
    options = parser.parse_args()
    options.names = options.workloads or list(WORKLOADS)
    existing_names = [
        name for name in options.names if any(key.startswith(name) for key in WORKLOADS)
    ]
    if unknown := set(options.names) - set(existing_names):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    if options.summary and not options.pid:
        parser.error("--summary needs --pid: the CPU of that process tree is counted")
    if options.docs:
        options.together = options.peer = options.floor = True
    options.peers = options.peers or (list(sides.PEERS) if options.peer else [])
    options.json = options.json or RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    return options


def _plan(options: argparse.Namespace) -> Plan:
    values = {name: getattr(options, name, None) for name in asdict(SHORT)}
    chosen = {name: value for name, value in values.items() if value is not None}
    return replace(LONG if options.docs else SHORT, **chosen)


def _measure(options: argparse.Namespace, plan: Plan) -> Measurement:
    """Runs everything. The results are in `options.json` after each window."""
    facts = _facts()
    say(f"results: {options.json}")
    if options.docs:
        say(f"on an idle machine, all of this takes less than {MOST_MINUTES} minutes")
    running = read_summary(options.summary, options.pid, 0.0) if options.summary else None
    with sides.started(
        options.names,
        running=running,
        together=options.together,
        peers=options.peers,
        floor=options.floor,
    ) as running_sides:
        footprints = running_sides.footprints()

        def store(measurement: Measurement) -> None:
            measurement.facts, measurement.footprints = facts, footprints
            measurement.save(options.json)

        names = list(running_sides.all[0].workloads)
        measurement = run(running_sides.all, names, plan, store)
        facts["load average at the end"] = _load()
        for side, sizes in running_sides.memory_now().items():
            measurement.footprints[side].after = sizes
        measurement.finished = True
        store(measurement)  # before anything is stopped, which may fail
    return measurement


def _facts() -> dict[str, str]:
    """Returns what a reader needs to judge the figures."""
    return {
        "interpreter": machine.interpreter(),
        "machine": machine.hardware(),
        "load average before the start": _load(),
        "a fixed loop and a fixed hash": f"{machine_speed()} ms",
    }


def _load() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
