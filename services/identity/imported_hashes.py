"""Hashes of other systems. One is verified at the next sign-in, and then replaced by ours.

Formats: bcrypt `$2a$ $2b$ $2y$`; PBKDF2 as PHC and passlib `$pbkdf2-sha256$…`, Django
`pbkdf2_sha256$…`, Werkzeug `pbkdf2:sha256:…`; scrypt as PHC and passlib `$scrypt$…`, Django
`scrypt$…`, Werkzeug `scrypt:…`, Firebase `$firebase-scrypt$…`; LDAP `{SHA} {SSHA} {SSHA256}
{SSHA512} {PBKDF2-SHA256}…`; `$argon2d$ $argon2i$ $argon2id$`; Django `argon2$…`, `bcrypt$…`,
`bcrypt_sha256$…`.

A hash is stored data that becomes work at every sign-in, so its cost is estimated from its own
parameters before anything is computed: at import, and again before each verification.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Final

from identity.hash_verifiers import (
    Check,
    UnknownHash,
    argon2_verifier,
    bcrypt_sha256_verifier,
    bcrypt_verifier,
    decode_base64,
    firebase_verifier,
    ldap_verifier,
    pbkdf2_verifier,
    scrypt_verifier,
)

MOST_LENGTH: Final = 1000
"""Characters; the longest that a real system makes has about 300."""


def verify(password: str, stored: str) -> bool:
    """Returns whether the password matches. Returns False for a hash that cannot be read."""
    try:
        return verifier(stored)(password.encode())
    except (UnknownHash, ValueError, KeyError, Base64Error, OverflowError, MemoryError):
        return False


def refusal(stored: str) -> UnknownHash | None:
    """Returns why a hash of an import file can never be verified here, or None if it can."""
    try:
        verifier(stored)
    except UnknownHash as error:
        return error
    except (ValueError, KeyError, Base64Error, OverflowError):
        return UnknownHash("hash_malformed")
    return None


def supported(stored: str) -> bool:
    """Returns whether a hash of an import file can be verified, within the limits."""
    return refusal(stored) is None


def verifier(stored: str) -> Check:
    """Returns the function that verifies passwords against this hash. Raises UnknownHash."""
    if len(stored) > MOST_LENGTH:
        raise UnknownHash("hash_too_long", maximum=MOST_LENGTH)
    for pattern, parse in FORMATS:
        found = re.fullmatch(pattern, stored, re.ASCII)
        if found:
            return parse(**found.groupdict())
    raise UnknownHash("hash_format_unknown")


_B = r"[A-Za-z0-9+/.=_-]"
_BCRYPT = r"(?P<stored>\$2[aby]\$\d\d\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})"
FORMATS: Final[list[tuple[str, Callable[..., Check]]]] = [
    (
        r"(?:argon2)?(?P<stored>\$argon2(?P<type>d|i|id)(?:\$v=(?:16|19))?\$m=(?P<m>[1-9]\d{0,9})"
        r",t=(?P<t>[1-9]\d{0,9}),p=(?P<p>[1-9]\d?)\$(?P<salt>[\w+/]+)\$(?P<key>[\w+/]+))",
        argon2_verifier,
    ),
    (rf"(?:bcrypt\$)?{_BCRYPT}", bcrypt_verifier),
    (rf"bcrypt_sha256\${_BCRYPT}", bcrypt_sha256_verifier),
    (
        rf"\$pbkdf2-(?P<d>sha\d+)\$(?:i=)?(?P<i>\d+)(?:,l=\d+)?\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: pbkdf2_verifier(d, int(i), decode_base64(s), decode_base64(h)),
    ),
    (
        rf"\$pbkdf2\$(?P<i>\d+)\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda i, s, h: pbkdf2_verifier("sha1", int(i), decode_base64(s), decode_base64(h)),
    ),
    (
        rf"pbkdf2_(?P<d>sha\d+)\$(?P<i>\d+)\$(?P<s>[^$]*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: pbkdf2_verifier(d, int(i), s.encode(), decode_base64(h)),
    ),
    (
        r"pbkdf2:(?P<d>sha\d+):(?P<i>\d+)\$(?P<s>[^$]*)\$(?P<h>[0-9a-f]+)",
        lambda d, i, s, h: pbkdf2_verifier(d, int(i), s.encode(), bytes.fromhex(h)),
    ),
    (
        rf"\{{PBKDF2(?:-(?P<d>SHA\d+))?\}}(?P<i>\d+)\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: pbkdf2_verifier(d or "sha1", int(i), decode_base64(s), decode_base64(h)),
    ),
    (
        rf"\$scrypt\$ln=(?P<n>\d{{1,2}}),r=(?P<r>\d{{1,3}}),p=(?P<p>\d{{1,3}})\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda n, r, p, s, h: scrypt_verifier(
            1 << int(n), int(r), int(p), decode_base64(s), expected=decode_base64(h)
        ),
    ),
    (
        rf"scrypt\$(?P<s>[^$]*)\$(?P<n>\d{{1,8}})\$(?P<r>\d{{1,3}})\$(?P<p>\d{{1,3}})\$(?P<h>{_B}+)",
        lambda n, r, p, s, h: scrypt_verifier(
            int(n), int(r), int(p), s.encode(), expected=decode_base64(h)
        ),
    ),
    (
        r"scrypt:(?P<n>\d{1,8}):(?P<r>\d{1,3}):(?P<p>\d{1,3})\$(?P<s>[^$]*)\$(?P<h>[0-9a-f]+)",
        lambda n, r, p, s, h: scrypt_verifier(
            int(n), int(r), int(p), s.encode(), expected=bytes.fromhex(h)
        ),
    ),
    (
        rf"\$firebase-scrypt\$ln=(?P<ln>\d{{1,2}}),r=(?P<r>\d{{1,3}}),ss=(?P<ss>{_B}*),sk=(?P<sk>{_B}+)"
        rf"\$(?P<salt>{_B}*)\$(?P<key>{_B}+)",
        firebase_verifier,
    ),
    (
        rf"\{{(?P<scheme>SHA|SSHA|SHA256|SSHA256|SHA384|SSHA384|SHA512|SSHA512)\}}(?P<data>{_B}+)",
        ldap_verifier,
    ),
]
