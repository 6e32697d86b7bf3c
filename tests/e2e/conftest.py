"""A platform of its own for tests that kill; what they share is in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kit.deployments import Shape
from tests.kit.system import System


@pytest.fixture(scope="session")
def fragile(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A platform of its own for tests that kill: what dies here would hurt the others."""
    running = System.start(shape, tmp_path_factory.mktemp("fragile") / "data")
    yield running
    running.stop()
