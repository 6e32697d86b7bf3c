"""`aero2 doctor` as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.text import Text

from aero2.doctor_findings import Finding, Level
from aero2.figures import printable

STYLES: Final = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.FAILURE: "bold red",
    Level.SKIPPED: "dim",
}


def print_findings(findings: list[Finding], *, as_json: bool) -> None:
    """Prints findings for people, or as JSON."""
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings, Console(highlight=False))


def show(findings: list[Finding], console: Console) -> None:
    """Prints each finding with its advice, and how many there are of each level."""
    for finding in findings:
        level = Text(f"{finding.level:8}", style=STYLES[finding.level])
        where = f"{finding.cluster}: " if finding.cluster else ""
        line = level + Text(f"{finding.check:19}") + Text(printable(f"{where}{finding.sentence}"))
        console.print(line, soft_wrap=True)
        if finding.advice:
            console.print(Text(f"{'':27}{printable(finding.advice)}", style="dim"), soft_wrap=True)
    counts = {level: sum(each.level is level for each in findings) for level in Level}
    console.print(", ".join(f"{number} {level}" for level, number in counts.items() if number))
