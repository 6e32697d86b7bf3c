"""Parameters are read as the standard library reads them."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.contracts.oauth_errors import OAuthError
from common.form_parameters import MAX_FIELDS, parse_parameters

TEXT = st.text(st.sampled_from("ab=&%+; é\x01\x0041"), max_size=30)


@given(text=TEXT)
@example(text="a=1&b=&=c&&d&a=2=3")
@example(text="a=%41+b")
def test_the_same_as_the_standard_library(text: str) -> None:
    """Texts without anything encoded take a shorter way to the same result."""
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict", encoding="utf-8")
        expected = [] if any("\0" in part for pair in expected for part in pair) else expected
        refused = bool(text) and not expected and "\0" in text
    except UnicodeDecodeError:
        refused = True
    if refused:
        with pytest.raises(OAuthError):
            parse_parameters(text)
    else:
        assert parse_parameters(text) == expected


@pytest.mark.parametrize("field", ["a=1", "a=%31", "a", ""])
def test_the_number_of_fields_is_limited(field: str) -> None:
    """The limit holds for encoded and for plain fields, and for empty ones."""
    parse_parameters("&".join([field] * MAX_FIELDS))
    with pytest.raises(OAuthError):
        parse_parameters("&".join([field] * (MAX_FIELDS + 1)))
