"""Writes docs/reliability.md from a run of all tests of faults: `pytest -m fault --reliability FILE`.

A run that has not kept the promise of every row changes nothing, and fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from bench.publication import write
from tests.kit.fault_report import PROPERTY
from tests.kit.fault_rows import ROWS

from common.version import VERSION

COMMAND: Final = "make faults"
PART: Final = "faults"
HEAD: Final = (
    "| | fault | what holds | tests | sent | succeeded | failed | unknown | lost | works again after | at the end |",
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
)


@dataclass
class RowResult:
    """What the tests of a row said."""

    passed: int = 0
    bad: list[str] = field(default_factory=list)
    """Tests that failed or were skipped."""
    figures: list[dict[str, Any]] = field(default_factory=list)

    def total(self, name: str) -> str:
        values = [each[name] for each in self.figures if name in each]
        return f"{sum(values):,}" if values else "–"

    def pause(self) -> str:
        values = [each["seconds"] for each in self.figures if "seconds" in each]
        return f"{max(values):.1f} s" if values else "–"

    def end(self) -> str:
        ends = [each for each in self.figures if "health" in each]
        if not ends:
            return "–"
        oldest = max(each["oldest"] for each in ends)
        return f"{ends[-1]['processes']} processes, as before; healthy; oldest event {oldest:.0f} s"


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Reliability:
    """Collects the reports of a run, and writes the document at its end."""

    document: Path
    results: dict[str, RowResult] = field(
        default_factory=lambda: {row: RowResult() for row in ROWS}
    )
    refused: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Reads a report, in the process that all workers report to."""
        properties: dict[str, Any] = dict(report.user_properties)
        for row in properties.get(PROPERTY, ()):
            result = self.results[row]
            if report.outcome != "passed":
                result.bad.append(f"{report.nodeid} {report.outcome}")
            elif report.when == "call":
                result.passed += 1
            elif report.when == "teardown" and properties.get("figures"):
                result.figures.append(properties["figures"])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.refused = reasons_against(self.results)
        if self.refused:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            return
        text = write(self.document.read_text(), PART, table(self.results), COMMAND)
        self.document.write_text(text)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason in self.refused:
            terminalreporter.write_line(f"NOT WRITTEN {reason}", red=True)
        if not self.refused:
            terminalreporter.write_line(f"wrote {self.document}")


def reasons_against(results: dict[str, RowResult]) -> list[str]:
    """Returns why a run is not for the documentation. Empty if it is."""
    reasons = [f"{row}: no test has run" for row, result in results.items() if not result.passed]
    reasons += [f"{row}: {bad}" for row, result in results.items() for bad in result.bad]
    lost = {row: result.total("lost") for row, result in results.items()}
    return reasons + [f"{row}: lost {number}" for row, number in lost.items() if number not in "–0"]


def table(results: dict[str, RowResult], day: str | None = None) -> str:
    """Returns the rows as Markdown."""
    day = day or datetime.now(UTC).date().isoformat()
    lines = [f"Version {VERSION}, {day}.", "", *HEAD]
    for row, (fault, promise) in ROWS.items():
        lines.append(_line(row, fault, promise, results[row]))
    return "\n".join(lines)


def _line(row: str, fault: str, promise: str, result: RowResult) -> str:
    names: Sequence[str] = ("sent", "succeeded", "failed", "unknown", "lost")
    numbers: Iterable[str] = (result.total(name) for name in names)
    cells = [row, fault, promise, str(result.passed), *numbers, result.pause(), result.end()]
    return f"| {' | '.join(cells)} |"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reliability",
        type=Path,
        default=None,
        help="write this document from the tests with the marker `fault`, unless one failed",
    )


def pytest_configure(config: pytest.Config) -> None:
    document = config.getoption("--reliability")
    if document is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reliability(document))
