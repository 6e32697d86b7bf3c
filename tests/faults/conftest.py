"""A platform of their own for the tests that hurt it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.system import System


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System.start(tmp_path_factory.mktemp("faults") / "data")
    yield running
    running.stop()
