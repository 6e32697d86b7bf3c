"""Authentication context classes (`acr`, OpenID Connect Core section 2): what a sign-in truly was.

A session holds one class, the most exact that is true of it, and satisfies every class that follows
from that one. A class is added here together with the way of signing in that earns it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NO_FACTOR: Final = "0"
"""The user proved nothing: the session of a guest (OpenID Connect Core section 2)."""
ONE_FACTOR: Final = "urn:aero2:loa:1fa"
"""One factor: a password, a code from a mail, or the owner link."""
PASSWORD: Final = "urn:aero2:loa:1fa:pwd"  # noqa: S105 - a name, not a password
"""The user knew the password."""
MAIL: Final = "urn:aero2:loa:1fa:mail"
"""The user read a mail to the account's address: its code or its link came back."""
TWO_FACTORS: Final = "urn:aero2:loa:2fa"
"""Two factors: a second one after the first, or a passkey that verified its user."""

SATISFIES: Final = {
    ONE_FACTOR: frozenset({ONE_FACTOR}),
    PASSWORD: frozenset({PASSWORD, ONE_FACTOR}),
    MAIL: frozenset({MAIL, ONE_FACTOR}),
    TWO_FACTORS: frozenset({TWO_FACTORS, ONE_FACTOR}),
}


def earned(amr: Iterable[str], *, by_mail: bool) -> str:
    """Returns the class of a sign-in."""
    if "mfa" in amr:
        return TWO_FACTORS
    if by_mail:
        return MAIL
    return PASSWORD if "pwd" in amr else ONE_FACTOR


def satisfied(earned: str | None, requested_classes: Iterable[str]) -> str | None:
    """Returns the first of the requested classes that a session satisfies. A session that is older than
    classes has none, and counts as one factor."""
    known = SATISFIES.get(earned or ONE_FACTOR, frozenset())
    return next((name for name in requested_classes if name in known), None)
