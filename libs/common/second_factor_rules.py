"""Second factors: which of them an application asks a user for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from common.contracts.app_settings import MfaPolicy
from common.contracts.sessions import Factor, SecondFactor

SECOND_FACTORS: Final[tuple[SecondFactor, ...]] = ("totp", "passkey", "recovery_code")
"""The best first: a code of an authenticator app is asked for before a passkey."""
ENROLLED: Final = frozenset({"totp", "passkey"})
"""The factors that a user enrols. Recovery codes only stand in for them."""


def to_ask(policy: MfaPolicy, enrolled: Collection[SecondFactor]) -> list[SecondFactor]:
    """Returns the second factors to ask this user for, the best first; empty: none is asked for.

    With the policy `optional`, users turn the second step on with an authenticator app. A passkey
    alone does not: it is a way to sign in, which a user may not have on each device."""
    if policy == "off" or (policy == "optional" and "totp" not in enrolled):
        return []
    if not ENROLLED & set(enrolled):
        return []
    return [factor for factor in SECOND_FACTORS if factor in enrolled]


def are_two(factors: Collection[Factor], amr: Collection[str]) -> bool:
    """Returns whether a sign-in showed two factors: a second one, a passkey with user verification
    alone, or what a trusted provider reports as `mfa` (RFC 8176 section 2)."""
    return "mfa" in amr or any(factor in factors for factor in SECOND_FACTORS)
