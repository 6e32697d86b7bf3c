"""The table of a run: medians over the rounds."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.__main__ import Row

TARGETS = {
    "W1-userinfo": 120,
    "W1-session": 120,
    "W1-introspection": 160,
    "W2-es256": 267,
    "W2-rs256": 480,
    "W3": 860,
    "W5-discovery": 60,
    "W5-jwks": 55,
    "W6-code-flow": 2000,
}
"""Target of each workload, in CPU µs per request."""

HEAD = "| workload | side | req/s | p50 µs | p99 µs | CPU µs/req | services | postgres | nats | target | errors |"


def table(rows: list[Row], facts: dict[str, object]) -> str:
    """Returns the table as Markdown."""
    lines = [f"machine speed {facts['speed_ms']} ms, start {facts['started_in_s']} s", "", HEAD]
    lines.append("|---|---|" + "---:|" * 9)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.workload, row.side), []).append(row)
    for (workload, side), group in groups.items():
        figures = [
            median(getattr(row, name) for row in group)
            for name in (
                "requests_per_second",
                "p50_us",
                "p99_us",
                "cpu_us",
                "services_us",
                "postgres_us",
                "nats_us",
            )
        ]
        cells = " | ".join(f"{figure:,.0f}" for figure in figures)
        target = TARGETS.get(workload, "") if side == "aero2" else ""
        errors = sum(row.errors for row in group)
        lines.append(f"| {workload} | {side} | {cells} | {target} | {errors} |")
    lines += [
        "",
        *(f"{name}: {facts[name]}" for name in ("memory_at_rest_mib", "memory_after_mib")),
    ]
    return "\n".join(lines)
