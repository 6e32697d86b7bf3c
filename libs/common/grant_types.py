"""Grant types that several places name, and which of them sign users in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
"""The grant type of device authorization (RFC 8628)."""
OF_USERS: Final = frozenset({"authorization_code", DEVICE_CODE})
"""The grant types by which a user signs in."""


def sign_users_in(grant_types: Collection[str]) -> bool:
    """Returns whether users sign in to a client with these grant types."""
    return not OF_USERS.isdisjoint(grant_types)
