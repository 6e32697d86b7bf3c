"""PKCE (RFC 7636)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc import pkce

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"


def test_the_example_of_the_rfc() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert pkce.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.text(ALPHABET, min_size=43, max_size=128))
def test_every_verifier_has_a_challenge(verifier: str) -> None:
    """The result has the form of a challenge."""
    made = pkce.challenge_of(verifier)

    assert made is not None
    assert pkce.is_challenge(made)


@pytest.mark.parametrize(
    "text", ["", "short", "v" * 42, "v" * 129, "v" * 42 + "!", "v" * 43 + "\n"]
)
def test_a_malformed_verifier_has_no_challenge(text: str) -> None:
    """Length and characters follow section 4.1."""
    assert pkce.challenge_of(text) is None


@pytest.mark.parametrize("text", ["", "v" * 42, "v" * 44, "v" * 42 + "=", "v" * 42 + "\n"])
def test_a_malformed_challenge_is_refused(text: str) -> None:
    """A challenge is 43 characters of base64url without padding, and nothing after them."""
    assert not pkce.is_challenge(text)
