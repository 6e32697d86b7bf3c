"""docs/reliability.md is written from a run in which every row was kept, and from no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.publication import marks
from tests.kit.fault_rows import ROWS
from tests.kit.reliability import COMMAND, PART, RowResult, reasons_against, table

ROOT = Path(__file__).parents[3]
SAMPLE = """
import pytest
from tests.kit.fault_rows import ROWS
from tests.kit.history import Act

@pytest.mark.fault("F1")
async def test_figures(fault):
    fault.strike()
    fault.history.invoke("users", Act.WRITE, "a", "present").info()
    fault.history.invoke("users", Act.WRITE, "b", "present").ok()
    fault.history.invoke("reads", Act.READ, "b").ok({seen})
    await fault.works_again(["users"], times=1)
    {settle}

@pytest.mark.parametrize("row", [
    pytest.param(row, marks=pytest.mark.fault(row)) for row in list(ROWS){rows}
])
def test_the_others(row):
    pass
"""
QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SETTINGS = """
[pytest]
asyncio_mode = auto
markers =
    fault(row): a row
"""


def run(
    folder: Path, *, seen: str = '"present"', settle: str = "await fault.settle()", rows: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a sample of tests that writes a document."""
    (folder / "test_sample.py").write_text(SAMPLE.format(seen=seen, settle=settle, rows=rows))
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "page.md").write_text("\n".join(marks(PART, COMMAND)))
    names = ("pytest_asyncio.plugin", "tests.kit.fault_report", "tests.kit.reliability")
    plugins = [option for name in names for option in ("-p", name)]
    places = [ROOT, ROOT / "libs", ROOT / "cli", ROOT / "services"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "--reliability", folder / "page.md"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))} | QUICK,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_run_is_written(tmp_path: Path) -> None:
    result = run(tmp_path)

    assert result.returncode == pytest.ExitCode.OK, result.stdout
    page = (tmp_path / "page.md").read_text()
    [first] = [line for line in page.splitlines() if line.startswith("| F1 |")]
    assert "| 2 | 3 | 2 | 0 | 1 | 0 | 0.0 s |" in first
    assert page.count("\n| F") == len(ROWS) == 34


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rows": "[:-1]"}, "NOT WRITTEN F34: no test has run"),
        ({"seen": "None"}, "NOT WRITTEN F1: test_sample.py::test_figures failed"),
        ({"settle": "pass"}, "the test did not await `fault.settle()`"),
    ],
)
def test_any_other_run_changes_nothing(
    tmp_path: Path, options: dict[str, str], reason: str
) -> None:
    result = run(tmp_path, **options)

    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert reason in result.stdout
    assert "| F" not in (tmp_path / "page.md").read_text()


def test_figures_of_several_tests_are_joined() -> None:
    results = {row: RowResult(passed=1) for row in ROWS}
    end = {"health": "healthy", "processes": 8, "oldest": 0.4}
    results["F7"] = RowResult(
        2,
        figures=[
            {"sent": 1000, "succeeded": 900, "failed": 0, "unknown": 100, "lost": 0, "seconds": 1.2}
            | end,
            {"sent": 500, "succeeded": 500, "failed": 0, "unknown": 0, "lost": 0, "seconds": 0.31},
        ],
    )

    assert reasons_against(results) == []
    [line] = [line for line in table(results, "2030-01-01").splitlines() if "| F7 |" in line]
    assert line.endswith(
        "| 2 | 1,500 | 1,400 | 0 | 100 | 0 | 1.2 s | 8 processes, as before; healthy; oldest event 0 s |"
    )


def test_what_was_lost_is_not_for_the_documentation() -> None:
    results = {row: RowResult(passed=1) for row in ROWS}
    results["F3"].figures.append({"lost": 2})

    assert reasons_against(results) == ["F3: lost 2"]
