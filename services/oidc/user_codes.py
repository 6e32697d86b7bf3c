"""User codes of device authorization: what people read from one screen and type on another.

RFC 8628 section 6.1 recommends these 20 letters: no vowels, so no words, and nothing that looks like
something else. Eight of them are 34 bits, enough behind limits for ten minutes (section 5.1).
"""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH: Final = 8
IGNORED: Final = re.compile(r"[\s\-_.\u2010-\u2015]")
"""Spaces and dashes, as people and text fields add them."""


def generate() -> str:
    """Returns a new user code, as it is hashed."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def printed(code: str) -> str:
    """Returns the code as people see it: XXXX-XXXX."""
    return f"{code[:4]}-{code[4:]}"


def parse(text: str) -> str | None:
    """Returns the code that somebody typed, in any case and with or without the hyphen. Returns None
    if it cannot be one."""
    code = IGNORED.sub("", text).upper()
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else None
