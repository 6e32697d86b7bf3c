"""Every list is measured by `python -m bench.growth`."""

from __future__ import annotations

from bench.growth.questions import PAGES
from tests.architecture.source import contracts


def test_every_list_has_a_question() -> None:
    """A contract with a cursor has a page, which must cost the same with many rows."""
    lists = {each for each in contracts().values() if "cursor" in each.model_fields}

    assert {each.__name__ for each in lists - {page.contract for page in PAGES}} == set()
