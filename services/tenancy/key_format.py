"""`sk_live_` + 43 random characters + 6 of checksum.

The fixed prefix and the checksum let secret scanners recognise a leaked key without asking us, and
let us refuse a malformed one without asking the database.
"""

from __future__ import annotations

import re
import secrets
import zlib
from typing import Final

from common.contracts.api_keys import KeyType

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MARKS: Final[dict[KeyType, str]] = {"publishable": "pk_live_", "secret": "sk_live_"}
RANDOM: Final = 43
"""62 ** 43 is more than 2 ** 256."""
CHECK: Final = 6
"""62 ** 6 is more than 2 ** 32."""
PREFIX: Final = 12
"""Characters that are stored and shown, so that a key can be told from another."""
FORM: Final = re.compile(rf"([ps]k_live_)([0-9A-Za-z]{{{RANDOM}}})([0-9A-Za-z]{{{CHECK}}})")


def make(kind: KeyType) -> str:
    body = MARKS[kind] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC-32 of all that stands before it, in base 62."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def kind_of(key: str) -> KeyType | None:
    """The type a well-formed key claims to have; None for anything else."""
    form = FORM.fullmatch(key)
    if form is None or form[3] != checksum(form[1] + form[2]):
        return None
    return "publishable" if form[1] == MARKS["publishable"] else "secret"
