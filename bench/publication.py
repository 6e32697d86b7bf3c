"""Decides whether a run is good enough for the documentation, and writes it there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.machine import refusals
from bench.rounds import Measurement, Plan
from bench.windows import OURS

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN: Final = '<!-- bench: begin. `make bench ARGS="--peer --docs"` writes this part. -->'
END: Final = "<!-- bench: end -->"
LEAST_ROUNDS: Final = 5
LEAST_SECONDS: Final = 3.0
LEAST_WARM: Final = 30.0
"""Seconds for each workload: the JIT of a peer needs them."""
LEAST_AGE: Final = 600.0
"""Seconds of load before the counted rounds: a short run does not see what grows with the data."""


def reasons_against(plan: Plan, measurement: Measurement) -> list[str]:
    """Returns why the figures are not for the documentation. Empty if they are."""
    reasons = refusals(measurement.disturbances)
    for name, value, least in (
        ("rounds", plan.rounds, LEAST_ROUNDS),
        ("seconds for each window", plan.seconds, LEAST_SECONDS),
        ("seconds of warming", plan.warm, LEAST_WARM),
        ("seconds of ageing", plan.age, LEAST_AGE),
    ):
        if value < least:
            reasons.append(f"too short: {value:g} {name}, and at least {least:g} are needed")
    failed = sorted({f"{row.side} {row.workload}" for row in measurement.rows if row.errors})
    if failed:
        reasons.append(f"requests failed: {', '.join(failed)}")
    if all(row.side == OURS for row in measurement.rows):
        reasons.append("no peer was measured (--peer)")
    return reasons


def write(text: str, reasons: Sequence[str], document: Path = DOCUMENT) -> bool:
    """Replaces the measured part of the document. Returns False, and changes nothing, if there is a
    reason against it. Raises ValueError if the document has no such part."""
    if reasons:
        return False
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no part between {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}")
    return True
