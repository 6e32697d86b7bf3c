"""Which tests may run side by side, when pytest-xdist runs them in two workers (`--dist loadgroup`).

One worker runs everything that starts a whole deployment or measures how a process behaves: two at a time
would only wait for each other. The other one runs the rest, a file after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
DEPLOYMENTS: Final = frozenset(
    {"browser", "bus", "clients", "compose", "conformance", "containers", "e2e", "up"}
)
"""Folders whose tests run one after the other."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(TESTS)
        group = "deployments" if place.parts[0] in DEPLOYMENTS else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
