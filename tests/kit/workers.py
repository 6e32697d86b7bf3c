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
    {"browser", "bus", "clients", "compose", "conformance", "containers", "e2e", "faults", "up"}
)
"""Folders whose tests run one after the other."""
FAKES: Final = frozenset({"test_pages.py", "test_page_flows.py", "test_passkeys.py"})
"""Files of tests/browser without a deployment: a gateway of the test's own process answers them."""


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(TESTS)
        deploys = place.parts[0] in DEPLOYMENTS and place.name not in FAKES
        group = "deployments" if deploys else str(place)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fails if pytest-xdist does not know the groups: it would spread tests that share a deployment."""
    if getattr(session.config.option, "loadgroup", False):
        lost = [item.nodeid for item in session.items if "@" not in item.nodeid]
        if lost:
            raise pytest.UsageError(f"pytest-xdist has no group for {lost[0]}")
