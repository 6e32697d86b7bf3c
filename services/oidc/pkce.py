"""Proof Key for Code Exchange (RFC 7636), S256 only: with `plain` the request has the verifier."""

from __future__ import annotations

import re
from typing import Final

from common.crypto import sha256_b64url

CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""Base64url of a SHA-256 (RFC 7636 section 4.2)."""
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636 section 4.1."""


def is_challenge(text: str) -> bool:
    """Returns whether the text has the form of an S256 challenge."""
    return CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str | None) -> str | None:
    """Returns the challenge that belongs to a verifier. Returns None if it is not a verifier."""
    if verifier is None or VERIFIER.fullmatch(verifier) is None:
        return None
    return sha256_b64url(verifier)
