"""Writes the report of a run: a page with a table, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.publication import write
from bench.soak.judgement import BOUNDS, KEPT_FOR_EVER, Series, Verdict
from bench.soak.load import Tally
from bench.soak.plot import Chart, draw

DOCS: Final = Path(__file__).parents[2] / "docs"
DOCUMENT: Final = DOCS / "soak.md"
PICTURE: Final = DOCS / "img" / "soak.svg"
PART, COMMAND = "measured", "make soak ARGS=--docs"
CHARTS: Final = {
    "memory": "Memory of processes, MiB",
    "descriptors": "Open descriptors",
    "connections": "Connections",
    "tasks": "Tasks of event loops",
    "stream": "Stream of audit events",
    "table": "Largest tables, MiB",
    "indexes": "Largest sets of indexes, MiB",
    "dead rows": "Dead rows",
    "outbox age": "Oldest entry of an outbox, seconds",
    "cache entries": "Entries of caches",
}
"""The charts by the group of their figures."""


def write_docs(series: Mapping[str, Series], verdicts: Sequence[Verdict], tally: Tally) -> None:
    """Writes the picture, and the measured part of the page."""
    PICTURE.write_text(picture(series))
    text = (
        f"![Figures of the run over time](img/{PICTURE.name})\n\n{summary(series, verdicts, tally)}"
    )
    DOCUMENT.write_text(write(DOCUMENT.read_text(), PART, text, COMMAND))


def picture(series: Mapping[str, Series]) -> str:
    """Returns the SVG file."""
    charts = [Chart(title, _group(series, group)) for group, title in CHARTS.items()]
    return draw([chart for chart in charts if chart.lines], "Figures of a soak test over time")


def _group(series: Mapping[str, Series], group: str) -> dict[str, Series]:
    parts = {name: values for name, values in series.items() if name.startswith(f"{group}/")}
    return {name.partition("/")[2]: values for name, values in parts.items()}


def summary(series: Mapping[str, Series], verdicts: Sequence[Verdict], tally: Tally) -> str:
    """Returns the figures in Markdown."""
    end = max(values[-1][0] for values in series.values())
    refused, failed = sum(tally.refused.values()), len(tally.failures)
    done = ", ".join(f"{count:,} ({kind})" for kind, count in sorted(tally.done.items()))
    lines = [
        f"A run of {end / 60:.0f} minutes. Requests and events: {done}. Refused cleanly: {refused:,}. "
        f"Failed: {failed:,}.",
        "",
        "| figures | number | worst of them | from | to | in the second half | flat |",
        "|---|---|---|---|---|---|---|",
    ]
    for group, title in CHARTS.items() | {"processes": "Processes but those of PostgreSQL"}.items():
        of_group = [each for each in verdicts if each.name.startswith(f"{group}/")]
        if of_group:
            lines.append(_row(title, of_group))
    lines += ["", "| figures | reason of the bound |", "|---|---|"]
    lines += [f"| {group} | {bound.reason} |" for group, bound in BOUNDS.items()]
    kept = (f"`{table}` ({reason})" for table, reason in KEPT_FOR_EVER.items())
    lines += ["", f"Not judged, since they grow by design: {'; '.join(kept)}."]
    return "\n".join(lines)


def _row(title: str, verdicts: Sequence[Verdict]) -> str:
    worst = max(verdicts, key=lambda each: each.used)
    flat = "yes" if all(each.flat for each in verdicts) else "**no**"
    return (
        f"| {title} | {len(verdicts)} | {worst.name.partition('/')[2]} | {worst.first:.1f} | "
        f"{worst.last:.1f} | {worst.text} | {flat} |"
    )
