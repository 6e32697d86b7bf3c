"""Hashes made elsewhere. They verify once, at the next sign-in, and are then replaced by ours.

Formats: bcrypt `$2a$ $2b$ $2y$`; PBKDF2 as PHC and passlib `$pbkdf2-sha256$…`, Django
`pbkdf2_sha256$…`, Werkzeug `pbkdf2:sha256:…`; scrypt as PHC and passlib `$scrypt$…`, Django
`scrypt$…`, Werkzeug `scrypt:…`, Firebase `$firebase-scrypt$…`; LDAP `{SHA} {SSHA} {SSHA256}
{SSHA512} {PBKDF2-SHA256}…`; `$argon2i$ $argon2id$` (in hashing.py).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Final

import bcrypt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

MOST_ITERATIONS: Final = 5_000_000
MOST_MEMORY: Final = 256 * 1024 * 1024
"""Bytes; a hash that asks for more would be an attack on us."""
DIGESTS: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})


class UnknownHash(ValueError):
    """No format that we can verify, or one that costs too much."""


def verify(password: str, stored: str) -> bool:
    """False for a wrong password and for a hash we cannot read."""
    try:
        return checker(stored)(password.encode())
    except (UnknownHash, ValueError, KeyError, Base64Error, OverflowError, MemoryError):
        return False


def supported(stored: str) -> bool:
    """Whether a hash of an import file would ever verify."""
    if re.fullmatch(r"\$argon2(i|id|d)\$[\w$=,+/-]+", stored):
        return len(stored) < 500
    try:
        checker(stored)
    except (UnknownHash, ValueError, KeyError, Base64Error):
        return False
    return True


Check = Callable[[bytes], bool]


def checker(stored: str) -> Check:
    """How to verify this hash. Raises UnknownHash."""
    if len(stored) > 2000:
        raise UnknownHash("too long")
    for pattern, parse in FORMATS:
        found = re.fullmatch(pattern, stored)
        if found:
            return parse(**found.groupdict())
    raise UnknownHash("no known format")


def _b64(text: str) -> bytes:
    """Standard, URL-safe or passlib's `.` for `+`; padding as it comes."""
    text = text.replace(".", "+").replace("-", "+").replace("_", "/").rstrip("=")
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _bcrypt(stored: str) -> Check:
    if not 4 <= int(stored[4:6]) <= 15:
        raise UnknownHash("cost out of range")
    as_2b = ("$2b" + stored[3:]).encode()
    # bcrypt itself only ever saw the first 72 bytes; what replaces it sees all.
    return lambda password: bcrypt.checkpw(password[:72], as_2b)


def _pbkdf2(name: str, iterations: int, salt: bytes, expected: bytes) -> Check:
    name = name.lower().replace("-", "")
    if (
        name not in DIGESTS
        or not 0 < iterations <= MOST_ITERATIONS
        or not 12 <= len(expected) <= 128
    ):
        raise UnknownHash("pbkdf2 out of range")

    def check(password: bytes) -> bool:
        made = hashlib.pbkdf2_hmac(name, password, salt, iterations, len(expected))
        return hmac.compare_digest(made, expected)

    return check


def _scrypt(n: int, r: int, p: int, salt: bytes, expected: bytes) -> Check:
    _bounded(n, r, p)
    if not 16 <= len(expected) <= 128:
        raise UnknownHash("scrypt out of range")

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(
            password, salt=salt, n=n, r=r, p=p, maxmem=2 * MOST_MEMORY, dklen=len(expected)
        )
        return hmac.compare_digest(made, expected)

    return check


def _bounded(n: int, r: int, p: int) -> None:
    if n < 2 or n & (n - 1) or not 0 < r <= 64 or not 0 < p <= 16 or 128 * n * r > MOST_MEMORY:
        raise UnknownHash("scrypt out of range")


def _firebase(ln: str, r: str, ss: str, sk: str, salt: str, key: str) -> Check:
    """Firebase: AES-256-CTR of the signer key under scrypt(password, salt + separator)."""
    n, rounds = 1 << int(ln), int(r)
    _bounded(n, rounds, 1)
    signer, expected, salted = _b64(sk), _b64(key), _b64(salt) + _b64(ss)

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(
            password, salt=salted, n=n, r=rounds, p=1, maxmem=2 * MOST_MEMORY, dklen=32
        )
        cipher = Cipher(AES(made), CTR(b"\0" * 16)).encryptor()
        return hmac.compare_digest(cipher.update(signer) + cipher.finalize(), expected)

    return check


def _ldap(scheme: str, data: str) -> Check:
    name = {"SHA": "sha1", "SSHA": "sha1"}.get(scheme.upper()) or "sha" + scheme[-3:]
    size = hashlib.new(name).digest_size
    raw = _b64(data)
    expected, salt = raw[:size], raw[size:]
    if len(expected) != size or (scheme.upper().startswith("SSHA") and not salt):
        raise UnknownHash("too short")
    return lambda password: hmac.compare_digest(
        hashlib.new(name, password + salt).digest(), expected
    )


_B = r"[A-Za-z0-9+/.=_-]"
FORMATS: Final[list[tuple[str, Callable[..., Check]]]] = [
    (r"(?P<stored>\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})", _bcrypt),
    (
        rf"\$pbkdf2-(?P<d>sha\d+)\$(?:i=)?(?P<i>\d+)(?:,l=\d+)?\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: _pbkdf2(d, int(i), _b64(s), _b64(h)),
    ),
    (
        rf"\$pbkdf2\$(?P<i>\d+)\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda i, s, h: _pbkdf2("sha1", int(i), _b64(s), _b64(h)),
    ),
    (
        rf"pbkdf2_(?P<d>sha\d+)\$(?P<i>\d+)\$(?P<s>[^$]*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: _pbkdf2(d, int(i), s.encode(), _b64(h)),
    ),
    (
        r"pbkdf2:(?P<d>sha\d+):(?P<i>\d+)\$(?P<s>[^$]*)\$(?P<h>[0-9a-f]+)",
        lambda d, i, s, h: _pbkdf2(d, int(i), s.encode(), bytes.fromhex(h)),
    ),
    (
        rf"\{{PBKDF2(?:-(?P<d>SHA\d+))?\}}(?P<i>\d+)\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda d, i, s, h: _pbkdf2(d or "sha1", int(i), _b64(s), _b64(h)),
    ),
    (
        rf"\$scrypt\$ln=(?P<n>\d{{1,2}}),r=(?P<r>\d{{1,3}}),p=(?P<p>\d{{1,3}})\$(?P<s>{_B}*)\$(?P<h>{_B}+)",
        lambda n, r, p, s, h: _scrypt(1 << int(n), int(r), int(p), _b64(s), _b64(h)),
    ),
    (
        rf"scrypt\$(?P<s>[^$]*)\$(?P<n>\d{{1,8}})\$(?P<r>\d{{1,3}})\$(?P<p>\d{{1,3}})\$(?P<h>{_B}+)",
        lambda n, r, p, s, h: _scrypt(int(n), int(r), int(p), s.encode(), _b64(h)),
    ),
    (
        r"scrypt:(?P<n>\d{1,8}):(?P<r>\d{1,3}):(?P<p>\d{1,3})\$(?P<s>[^$]*)\$(?P<h>[0-9a-f]+)",
        lambda n, r, p, s, h: _scrypt(int(n), int(r), int(p), s.encode(), bytes.fromhex(h)),
    ),
    (
        rf"\$firebase-scrypt\$ln=(?P<ln>\d{{1,2}}),r=(?P<r>\d{{1,3}}),ss=(?P<ss>{_B}*),sk=(?P<sk>{_B}+)"
        rf"\$(?P<salt>{_B}*)\$(?P<key>{_B}+)",
        _firebase,
    ),
    (
        rf"\{{(?P<scheme>SHA|SSHA|SHA256|SSHA256|SHA384|SSHA384|SHA512|SSHA512)\}}(?P<data>{_B}+)",
        _ldap,
    ),
]
