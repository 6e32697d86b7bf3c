"""Slugs are safe as the first label of a host."""

from __future__ import annotations

import pytest

from tenancy import slugs
from tenancy.slug_words import ADJECTIVES, NOUNS


@pytest.mark.parametrize("slug", ["abc", "swift-maple", "a1b", "0ok", "x" * 63])
def test_a_good_slug_has_no_flaw(slug: str) -> None:
    """3 to 63 lowercase letters, digits and hyphens are accepted."""
    assert slugs.flaw(slug) is None


@pytest.mark.parametrize(
    "slug",
    ["", "ab", "x" * 64, "-abc", "abc-", "Abc", "a_b", "a.b", "aä b", "xn--abc", "abc\n"],
)
def test_a_malformed_slug_is_refused(slug: str) -> None:
    """What could not be a host's label, or would be read as an international one, is refused."""
    assert slugs.flaw(slug) is not None


@pytest.mark.parametrize(
    "slug",
    ["dashboard", "api", "www", "admin", "auth", "login", "app", "static", "assets", "health"],
)
def test_reserved_words_are_refused(slug: str) -> None:
    """Words that the platform reserves are refused."""
    assert slugs.flaw(slug) == "slug_reserved"


def test_every_generated_slug_would_be_accepted() -> None:
    """Every pair of words with the longest suffix is a valid slug."""
    pairs = [f"{adjective}-{noun}-xyz" for adjective in ADJECTIVES for noun in NOUNS]

    assert [slug for slug in pairs if slugs.flaw(slug)] == []
    assert len(ADJECTIVES) == len(set(ADJECTIVES)) >= 200
    assert len(NOUNS) == len(set(NOUNS)) >= 200


def test_the_first_candidate_has_no_suffix() -> None:
    """The suffix of three characters is added only after a collision."""
    made = list(slugs.candidates())

    assert made[0].count("-") == 1
    assert all(len(slug.rsplit("-", 1)[1]) == 3 for slug in made[1:])
