"""Makes and checks API keys: `sk_live_` + 43 random characters + 6 characters of checksum.

The fixed prefix and the checksum let secret scanners recognise a leaked key without a call to us.
They also let us refuse a malformed key without a query.
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
"""Characters that are stored and shown, so that people can tell keys apart."""
FORM: Final = re.compile(rf"([ps]k_live_)([0-9A-Za-z]{{{RANDOM}}})([0-9A-Za-z]{{{CHECK}}})")


def make(kind: KeyType) -> str:
    """Returns a new random key."""
    body = MARKS[kind] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Returns the CRC-32 of the text, in base 62."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def kind_of(key: str) -> KeyType | None:
    """Returns the type that a well-formed key says it has, or None for any other text."""
    match = FORM.fullmatch(key)
    if match is None or match[3] != checksum(match[1] + match[2]):
        return None
    return "publishable" if match[1] == MARKS["publishable"] else "secret"
