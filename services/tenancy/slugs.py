"""Checks and generates slugs of applications."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Final

from common.contracts.applications import SLUG
from tenancy.slug_words import ADJECTIVES, NOUNS

_WORDS = """
admin api app assets auth dashboard health login static www
account accounts billing blog cdn console dev docs download email ftp help id imap internal
localhost mail metrics ns1 ns2 oauth oauth2 openid operator pop public root rp secure security
settings signin signout signup smtp sso staging status support system test webmail
"""
RESERVED: Final = frozenset(_WORDS.split())
"""Slugs whose hosts people would take for the platform's own."""
SUFFIX: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters without those that look like another one."""
TRIES: Final = 20


def flaw(slug: str) -> str | None:
    """Returns the code of the field error for the slug, or None if it can be used."""
    if re.fullmatch(SLUG, slug) is None:
        return "not_a_slug"
    if slug[2:4] == "--":
        return "slug_internationalized"
    if slug in RESERVED:
        return "slug_reserved"
    return None


def candidates() -> Iterator[str]:
    """Yields `swift-maple`, then slugs of other words with three characters at the end."""
    yield _words()
    for _ in range(TRIES):
        yield f"{_words()}-{''.join(secrets.choice(SUFFIX) for _ in range(3))}"


def _words() -> str:
    return f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}"
