"""Proof Key for Code Exchange (RFC 7636), S256 only: `plain` proves nothing."""

from __future__ import annotations

import re
from typing import Final

from common.crypto import sha256_b64url

CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""Section 4.2: base64url of a SHA-256."""
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""Section 4.1."""


def is_challenge(text: str) -> bool:
    return CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str | None) -> str | None:
    """What the code must have been asked for with; None for no verifier or not a verifier."""
    if verifier is None or VERIFIER.fullmatch(verifier) is None:
        return None
    return sha256_b64url(verifier)
