"""The format of an API key is checked without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.api_keys import KeyType
from tenancy import api_key_format


@pytest.mark.parametrize(("kind", "mark"), [("publishable", "pk_live_"), ("secret", "sk_live_")])
def test_a_made_key_is_well_formed(kind: KeyType, mark: str) -> None:
    """A new key has the prefix of its type and a valid checksum."""
    key = api_key_format.make(kind)

    assert key.startswith(mark)
    assert len(key) == 57
    assert api_key_format.kind_of(key) == kind


def test_two_keys_differ() -> None:
    """No two keys are the same."""
    assert len({api_key_format.make("secret") for _ in range(200)}) == 200


@given(st.integers(0, 56), st.sampled_from(api_key_format.ALPHABET + "_-!"))
def test_any_changed_character_is_noticed(place: int, other: str) -> None:
    """A key with one changed character is invalid."""
    key = api_key_format.make("secret")
    changed = key[:place] + other + key[place + 1 :]

    assert api_key_format.kind_of(changed) is None or changed == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk_live_",
        "sk_test_" + "a" * 49,
        "sk_live_" + "a" * 49,
        "sk_live_" + "é" * 49,
        "x" * 200,
    ],
)
def test_other_text_is_refused(text: str) -> None:
    """Other text is invalid."""
    assert api_key_format.kind_of(text) is None


def test_a_trailing_newline_is_refused() -> None:
    """A key with a newline behind it is invalid."""
    assert api_key_format.kind_of(api_key_format.make("secret") + "\n") is None
