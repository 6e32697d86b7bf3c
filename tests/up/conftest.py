"""One deployment for all tests of this folder, because a first start takes up to a minute on a busy
machine.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.instance import Instance

LAST = ("test_operator_mfa.py", "test_master_key.py")
"""These tests use up the owner link, and replace the deployment's secrets."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A running deployment in the folder `.aero2` of an empty directory. A test that stops it
    starts it again."""
    instance = Instance(tmp_path_factory.mktemp("up") / ".aero2").start()
    try:
        instance.ready()
        yield instance
    finally:
        instance.stop(signal.SIGTERM)


def _rank(name: str) -> int:
    return LAST.index(name) + 1 if name in LAST else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves tests that change the shared deployment to the end of this folder."""
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if item.path.parent == here]
    ordered = sorted((items[place] for place in places), key=lambda item: _rank(item.path.name))
    for place, item in zip(places, ordered, strict=True):
        items[place] = item
