"""A skipped test fails the run if the environment says that its program is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SKIPPED = """
import pytest

@pytest.mark.browser
def test_needs_a_browser():
    pytest.skip("no browser")
"""
SETTINGS = """
[pytest]
markers = browser
"""


def run(folder: Path, workers: int, *, required: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_pages.py").write_text(SKIPPED)
    (folder / "pytest.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.kit.required", "-n", str(workers)]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "AERO2_REQUIRE": required},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_required_may_not_be_skipped(tmp_path: Path, workers: int) -> None:
    result = run(tmp_path, workers, required="browser,docker")

    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "REQUIRED BUT SKIPPED" in result.stdout
    assert "no browser" in result.stdout


def test_what_is_not_required_may_be_skipped(tmp_path: Path) -> None:
    result = run(tmp_path, 0, required="docker")

    assert result.returncode == pytest.ExitCode.OK
