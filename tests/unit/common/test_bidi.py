"""Names of one writing direction in sentences of the other direction."""

from __future__ import annotations

import pytest

from common.bidi import isolate


@pytest.mark.parametrize(
    "name",
    ["\u05d7\u05e0\u05d5\u05ea", "Shop \u0645\u062a\u062c\u0631", "\u0661\u0662", "\u05d0 7!"],
)
def test_the_other_direction_is_isolated(name: str) -> None:
    assert isolate(name) == f"\u2068{name}\u2069"


@pytest.mark.parametrize(
    "name", ["", "Acme 7 (!)", "Zo\u00eb", "\u682a\u5f0f\u4f1a\u793e", "\U0001f98a"]
)
def test_the_same_direction_is_left_as_it_is(name: str) -> None:
    assert isolate(name) == name


def test_a_sentence_from_right_to_left_isolates_the_other_names() -> None:
    assert isolate("Acme", "rtl") == "\u2068Acme\u2069"
    assert isolate("\u05d7\u05e0\u05d5\u05ea", "rtl") == "\u05d7\u05e0\u05d5\u05ea"
