"""Refusals that ask for another factor before a call is made again (RFC 9470)."""

from __future__ import annotations

from common.problems import Forbidden, Unauthenticated


class SecondFactorNeeded(Forbidden):
    """An operator has to show a second factor first, or to enrol one."""

    code, title = "second_factor_needed", "Operators need a second factor for this."


class FreshTokenNeeded(Unauthenticated):
    """The sign-in behind the access token is too old for this call, or too weak. The client asks
    for a new token with these `acr_values` and `max_age` (RFC 9470 section 3)."""

    code, title = (
        "insufficient_user_authentication",
        "This call needs a more recent sign-in. Ask for a new token.",
    )
