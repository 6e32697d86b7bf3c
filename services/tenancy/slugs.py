"""Slugs: an application's name in its host."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Final

from common.contracts.applications import SLUG
from tenancy.slug_words import ADJECTIVES, NOUNS

_SEEDS = "dashboard api www admin auth login app static assets health"
_TAKEN_FOR_OURS = """
account accounts billing blog cdn console dev docs download email ftp help id imap internal
localhost mail metrics ns1 ns2 oauth oauth2 openid operator pop public root rp secure security
settings signin signout signup smtp sso staging status support system test webmail
"""
RESERVED: Final = frozenset(_SEEDS.split()) | frozenset(_TAKEN_FOR_OURS.split())
SUFFIX: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Nothing that is read as something else."""
TRIES: Final = 20


def flaw(slug: str) -> str | None:
    """Returns the code of why a slug cannot be used, or None if it can."""
    if re.fullmatch(SLUG, slug) is None:
        return "not_a_slug"
    if slug[2:4] == "--":
        return "slug_internationalized"
    if slug in RESERVED:
        return "slug_reserved"
    return None


def candidates() -> Iterator[str]:
    """`swift-maple` first, then with three characters behind it, each time anew."""
    yield _words()
    for _ in range(TRIES):
        yield f"{_words()}-{''.join(secrets.choice(SUFFIX) for _ in range(3))}"


def _words() -> str:
    return f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}"
