"""Authentication context classes (`acr`, OpenID Connect Core section 2): what a sign-in truly was.

A session holds one class, the most exact that is true of it. It satisfies every class that follows from
the factors that were shown in it. A class is added here together with the way of signing in that earns
it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
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

CLASSES: Final = (ONE_FACTOR, PASSWORD, MAIL, TWO_FACTORS)
"""All classes, the most general one first."""


def earned(amr: Iterable[str], *, by_mail: bool) -> str:
    """Returns the most exact class of a sign-in."""
    if "mfa" in amr:
        return TWO_FACTORS
    if by_mail:
        return MAIL
    return PASSWORD if "pwd" in amr else ONE_FACTOR


def of_session(
    stored_class: str | None, factors: Collection[str], amr: Collection[str]
) -> frozenset[str]:
    """Returns every class that is true of a session: by its class, by the factors that were shown in
    it, and by `mfa` among its methods (RFC 8176). A session that is older than classes counts as one
    factor."""
    classes = {ONE_FACTOR, stored_class or ONE_FACTOR}
    if "password" in factors:
        classes.add(PASSWORD)
    if "mail" in factors:
        classes.add(MAIL)
    if "mfa" in amr:
        classes.add(TWO_FACTORS)
    return frozenset(classes)


def satisfied(classes: Collection[str], requested_classes: Iterable[str]) -> str | None:
    """Returns the first of the requested classes that is one of a session's."""
    return next((name for name in requested_classes if name in classes), None)
