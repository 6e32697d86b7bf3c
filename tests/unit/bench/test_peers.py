"""The peers of the benchmark have fixed versions: a figure belongs to one."""

from __future__ import annotations

import json
from pathlib import Path

import bench.peer
import pytest

FOLDER = Path(bench.peer.__file__).parent
NPM = sorted(FOLDER.glob("*/package.json"))
PYPI = sorted(FOLDER.glob("*/requirements.txt"))


@pytest.mark.parametrize("file", NPM, ids=lambda file: file.parent.name)
def test_packages_from_npm_are_pinned(file: Path) -> None:
    """No range, and no tag."""
    versions = json.loads(file.read_text())["dependencies"].values()

    assert [version for version in versions if not version[0].isdigit()] == []


@pytest.mark.parametrize("file", PYPI, ids=lambda file: file.parent.name)
def test_packages_from_pypi_are_pinned(file: Path) -> None:
    """Those that they need, too."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]

    assert len(lines) > 3
    assert [line for line in lines if line.count("==") != 1] == []
