"""A deployment for tests that kill processes. tests/conftest.py has the shared one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kit.deployments import Shape
from tests.kit.system import System


@pytest.fixture(scope="session")
def fragile(shape: Shape, homes: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A deployment for tests that kill processes, since other tests would suffer."""
    running = System.start(shape, tmp_path_factory.mktemp("fragile") / "data", homes=homes)
    yield running
    running.stop()
