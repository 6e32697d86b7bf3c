"""Authentication context classes (`acr`, OpenID Connect Core section 2): what a sign-in truly was.

A session holds one class, the most exact that is true of it, and satisfies every class that follows
from that one. A class is added here together with the way of signing in that earns it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ONE_FACTOR: Final = "urn:aero2:loa:1fa"
"""Somebody showed one thing: a password, a code from a mail, the owner link."""
PASSWORD: Final = "urn:aero2:loa:1fa:pwd"  # noqa: S105 - a name, not a password
"""He knew the password."""
MAIL: Final = "urn:aero2:loa:1fa:mail"
"""He read a mail to the account's address: its code or its link came back."""

SATISFIES: Final = {
    ONE_FACTOR: frozenset({ONE_FACTOR}),
    PASSWORD: frozenset({PASSWORD, ONE_FACTOR}),
    MAIL: frozenset({MAIL, ONE_FACTOR}),
}


def earned(amr: Iterable[str], *, by_mail: bool) -> str:
    """The class of a sign-in."""
    if by_mail:
        return MAIL
    return PASSWORD if "pwd" in amr else ONE_FACTOR


def satisfied(earned: str | None, wanted: Iterable[str]) -> str | None:
    """The first of the wanted classes that a session satisfies. A session from before classes
    were kept has none; that somebody showed something is true of every session."""
    known = SATISFIES.get(earned or ONE_FACTOR, frozenset())
    return next((name for name in wanted if name in known), None)
