"""Decides whether a run is good enough for the documentation, and writes it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench import report
from bench.floor import table as floor_table
from bench.machine import refusals
from bench.measurement import Measurement
from bench.windows import OURS, by_round

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"
COMMAND: Final = "make bench ARGS=--docs"
"""What writes the measured parts of the document."""
SIDES: Final = "side by side"
FLOORS: Final = "floors"
LEAST_ROUNDS: Final = 5
LEAST_CLEAN: Final = 4
"""Of these rounds, those that each workload of each side must have without an error."""
LEAST_SECONDS: Final = 3.0
LEAST_WARM: Final = 8.0
"""Seconds for each workload, and below for each side: the JIT of a peer needs them."""
LEAST_WARM_SIDE: Final = 30.0
LEAST_AGE: Final = 600.0
"""Seconds of load before the counted rounds: a short run does not see what grows with the data."""


def marks(part: str, command: str = COMMAND) -> tuple[str, str]:
    """Returns the comments around a part of a document that a command writes."""
    return (
        f"<!-- {part}: begin. `{command}` writes this part. -->",
        f"<!-- {part}: end -->",
    )


def reasons_against(measurement: Measurement) -> list[str]:
    """Returns why the figures are not for the documentation. Empty if they are."""
    plan = measurement.plan
    reasons = refusals(measurement.disturbances)
    for name, value, least in (
        ("rounds", plan.rounds, LEAST_ROUNDS),
        ("seconds for each window", plan.seconds, LEAST_SECONDS),
        ("seconds of warming for each workload", plan.warm, LEAST_WARM),
        ("seconds of warming for each side", plan.warm_side, LEAST_WARM_SIDE),
        ("seconds of ageing", plan.age, LEAST_AGE),
    ):
        if value < least:
            reasons.append(f"too short: {value:g} {name}, and at least {least:g} are needed")
    if not measurement.finished:
        reasons.append("the run did not finish")
    reasons += measurement.failures
    if failed := list(_failed(measurement)):
        reasons.append(f"requests failed in more than one round: {', '.join(failed)}")
    if all(row.side == OURS for row in measurement.rows):
        reasons.append("no peer was measured (--peer)")
    return reasons


def _failed(measurement: Measurement) -> Iterator[str]:
    """Returns the workloads of sides that have too few rounds without an error."""
    rows = measurement.rows
    for side, workload in sorted({(row.side, row.workload) for row in rows}):
        clean = by_round(rows, workload, side).keys() - {0}
        if len(clean) < min(LEAST_CLEAN, measurement.plan.rounds):
            yield f"{side} {workload}"


def publish(measurement: Measurement, document: Path | None = None) -> list[str]:
    """Replaces the measured parts of the document. Returns the reasons against it, and then changes
    nothing. Raises ValueError if the document does not have these parts."""
    reasons, document = reasons_against(measurement), document or DOCUMENT
    if not reasons:
        text = write(document.read_text(), SIDES, report.side_by_side(measurement))
        if floors := floor_table.table(measurement.rows):
            text = write(text, FLOORS, floors)
        document.write_text(text)
    return reasons


def write(document: str, part: str, text: str, command: str = COMMAND) -> str:
    """Returns the document with a new text in a part that a command writes. Raises ValueError if it has no
    such part."""
    opening, closing = marks(part, command)
    before, begin, rest = document.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"the document has no part between {opening} and {closing}")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"
