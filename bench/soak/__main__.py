"""`make soak`: does anything grow while a deployment works for a long time?

It starts `aero2 up` on an empty data folder, with retention and sweeps at a raised speed, and keeps a
steady, mixed load on it. Every ten seconds it takes a sample. At the end it judges each figure.

make soak                              20 minutes
make soak ARGS="--minutes 3"           a short try: what warms up is not flat yet
make soak ARGS="--docs"                20 minutes, written into docs/soak.md
make soak ARGS="--from bench/results/soak.json --docs"    the same from a run that is stored

Exit code 1: a figure is not flat, or a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.deployment import Deployment, free_port, started_deployment
from bench.progress import say
from bench.soak import report
from bench.soak.developer import signed_in_developer
from bench.soak.judgement import Series, judge
from bench.soak.load import Tally, prepared
from bench.soak.sampling import Sample, Sampler

RESULT: Final = Path(__file__).parents[1] / "results" / "soak.json"
RAISED_SPEED: Final = Path(__file__).parent / "raised_speed"
EVERY: Final = 10.0
"""Seconds between samples."""
SHORTEST: Final = 3.0
"""Minutes."""
LEAST_MINUTES: Final = 20
"""Of a run for the documentation. In a shorter one, less than what is kept has come and gone."""
DRAINED_WITHIN: Final = 60.0
"""Seconds after the end of the load, in which all outboxes are empty."""


def main() -> int:
    """Runs the test, or reads a stored one. Returns the exit code."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the deployment is stopped
    if options.stored:
        series, tally = load(options.stored)
    else:
        path = os.pathsep.join([str(RAISED_SPEED), *filter(None, [os.environ.get("PYTHONPATH")])])
        with started_deployment(free_port(), variables={"PYTHONPATH": path}) as deployment:
            series, tally = asyncio.run(run(deployment, options.minutes * 60))
        store(series, tally)
    verdicts = judge(series)
    print(report.summary(series, verdicts, tally))
    for each in (bad := [each for each in verdicts if not each.flat]):
        print(f"not flat: {each.name}: {each.text} ({each.reason})", file=sys.stderr)
    for failure in tally.failures[:10]:
        print(f"failed: {failure}", file=sys.stderr)
    if options.docs and not _reasons(series):
        report.write_docs(series, verdicts, tally)
    elif options.docs:
        print(f"not written into docs: {_reasons(series)}", file=sys.stderr)
    return 1 if bad or tally.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long the load runs")
    parser.add_argument("--docs", action="store_true", help="write docs/soak.md and its picture")
    parser.add_argument(
        "--from", dest="stored", type=Path, help="a stored run, instead of a new one"
    )
    options = parser.parse_args()
    if options.minutes < SHORTEST:
        parser.error(f"a run of less than {SHORTEST:g} minutes has too few samples")
    return options


def _reasons(series: dict[str, Series]) -> str:
    """Returns why a run is not for the documentation, or nothing."""
    end = max(values[-1][0] for values in series.values())
    return "" if end >= LEAST_MINUTES * 60 - EVERY else f"shorter than {LEAST_MINUTES} minutes"


async def run(deployment: Deployment, seconds: float) -> tuple[dict[str, Series], Tally]:
    """Keeps the load on the deployment for so long. Returns the samples and what the load did."""
    assert deployment.data is not None
    load = await prepared(deployment, await signed_in_developer(deployment))
    sampler = await Sampler.open(deployment.pid, deployment.data)
    samples: list[tuple[float, Sample]] = []
    began, tasks = time.monotonic(), load.start()
    try:
        while (now := time.monotonic() - began) <= seconds:
            samples.append((now, await sampler.take()))
            if len(samples) % 6 == 1:
                say(
                    f"{now / 60:.0f} of {seconds / 60:.0f} min: {progress(samples[-1][1], load.tally)}"
                )
            await asyncio.sleep(max(0.0, len(samples) * EVERY - (time.monotonic() - began)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await drained(sampler, load.tally)
    finally:
        await sampler.close()
    return joined(samples), load.tally


def progress(sample: Sample, tally: Tally) -> str:
    """Returns how the run goes, in a line."""
    memory = sum(value for name, value in sample.items() if name.startswith("memory/"))
    return (
        f"{tally.done.total():,} done, {tally.refused.total()} refused, "
        f"{len(tally.failures)} failed, {memory:.0f} MiB"
        + (f", last: {tally.failures[-1]}" if tally.failures else "")
    )


async def drained(sampler: Sampler, tally: Tally) -> None:
    """Waits until every outbox is empty. Notes a failure if one is not."""
    ends = time.monotonic() + DRAINED_WITHIN
    while time.monotonic() < ends:
        ages = {n: v for n, v in (await sampler.take()).items() if n.startswith("outbox age/")}
        if not any(ages.values()):
            return
        await asyncio.sleep(0.5)
    tally.failures.append(f"outboxes are not empty after {DRAINED_WITHIN:.0f} s: {ages}")


def joined(samples: Sequence[tuple[float, Sample]]) -> dict[str, Series]:
    """Returns a series for each figure. It is 0 where a sample does not have it."""
    names = sorted({name for _, sample in samples for name in sample})
    return {name: [(at, sample.get(name, 0.0)) for at, sample in samples] for name in names}


def store(series: dict[str, Series], tally: Tally) -> None:
    """Writes the run as JSON."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"series": series, "tally": vars(tally)}))


def load(path: Path) -> tuple[dict[str, Series], Tally]:
    """Returns a stored run."""
    stored = json.loads(path.read_text())
    tally = stored["tally"]
    return stored["series"], Tally(
        Counter(tally["done"]), Counter(tally["refused"]), tally["failures"]
    )


if __name__ == "__main__":
    sys.exit(main())
