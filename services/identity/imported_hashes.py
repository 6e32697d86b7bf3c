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

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Final

import bcrypt
from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from common.field_errors import Param, message

MOST_SECONDS: Final = 1.0
"""Estimated seconds on one common core. A hash that asks for more would be an attack on us."""
MOST_MEMORY: Final = 256 * 1024 * 1024
"""Bytes."""
MOST_LANES: Final = 16
MOST_LENGTH: Final = 1000
"""Characters; the longest that a real system makes has about 300."""
ARGON2_KIB: Final = 1.2e-6
"""Seconds for one KiB in one pass."""
ARGON2_THREAD: Final = 60e-6
"""Seconds to start and join a thread: with several lanes, each has four in each pass."""
BCRYPT_ROUND: Final = 85e-6
SCRYPT_BYTE: Final = 4e-9
PBKDF2_ROUND: Final = {"sha1": 0.5e-6, "sha256": 0.55e-6, "sha384": 0.95e-6, "sha512": 0.95e-6}


class UnknownHash(ValueError):
    """A hash that we cannot verify, or that costs too much. `code` and `params` are those of a
    field error."""

    def __init__(self, code: str, **params: Param) -> None:
        super().__init__(message(code, params))
        self.code, self.params = code, params


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


Check = Callable[[bytes], bool]


def verifier(stored: str) -> Check:
    """Returns the function that verifies passwords against this hash. Raises UnknownHash."""
    if len(stored) > MOST_LENGTH:
        raise UnknownHash("hash_too_long", maximum=MOST_LENGTH)
    for pattern, parse in FORMATS:
        found = re.fullmatch(pattern, stored, re.ASCII)
        if found:
            return parse(**found.groupdict())
    raise UnknownHash("hash_format_unknown")


def _affordable(seconds: float, memory: int = 0) -> None:
    """Checks the estimated cost of a hash. Raises UnknownHash."""
    if memory > MOST_MEMORY:
        raise UnknownHash("hash_needs_memory", maximum=MOST_MEMORY >> 20)
    if seconds > MOST_SECONDS:
        raise UnknownHash("hash_needs_time")


def _argon2(stored: str, type: str, m: str, t: str, p: str, salt: str, key: str) -> Check:
    """Argon2 in the PHC format. RFC 9106 section 3.1 has the limits."""
    kib, passes, lanes = int(m), int(t), int(p)
    if lanes > MOST_LANES or kib < 8 * lanes:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="Argon2")
    threads = 4 * lanes if lanes > 1 else 0
    _affordable(passes * (kib * ARGON2_KIB + threads * ARGON2_THREAD), kib * 1024)
    for text, least in ((salt, 8), (key, 12)):
        data = _b64(text)
        # The library reads canonical base64 only.
        if len(data) < least or b64encode(data).rstrip(b"=").decode() != text:
            raise UnknownHash("hash_malformed")
    variant = {"d": Type.D, "i": Type.I, "id": Type.ID}[type]

    def check(password: bytes) -> bool:
        try:
            return verify_secret(stored.encode(), password, variant)
        except Argon2Error:
            return False

    return check


def _bcrypt_sha256(stored: str) -> Check:
    """Django's BCryptSHA256PasswordHasher: bcrypt of the hexadecimal SHA-256."""
    check = _bcrypt(stored)
    return lambda password: check(hashlib.sha256(password).hexdigest().encode())


def _b64(text: str) -> bytes:
    """Standard, URL-safe or passlib's `.` for `+`; padding as it comes."""
    text = text.replace(".", "+").replace("-", "+").replace("_", "/").rstrip("=")
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _bcrypt(stored: str) -> Check:
    cost = int(stored[4:6])
    if cost < 4:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="bcrypt")
    _affordable(2**cost * BCRYPT_ROUND)
    as_2b = ("$2b" + stored[3:]).encode()
    # bcrypt itself only ever saw the first 72 bytes; what replaces it sees all.
    return lambda password: bcrypt.checkpw(password[:72], as_2b)


def _pbkdf2(name: str, iterations: int, salt: bytes, expected: bytes) -> Check:
    name = name.lower().replace("-", "")
    if name not in PBKDF2_ROUND:
        raise UnknownHash("hash_digest_unknown", expected=", ".join(PBKDF2_ROUND))
    if iterations < 1 or not 12 <= len(expected) <= 128:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="PBKDF2")
    blocks = -(-len(expected) // hashlib.new(name).digest_size)
    _affordable(iterations * blocks * PBKDF2_ROUND[name])

    def check(password: bytes) -> bool:
        made = hashlib.pbkdf2_hmac(name, password, salt, iterations, len(expected))
        return hmac.compare_digest(made, expected)

    return check


def _scrypt(n: int, r: int, p: int, salt: bytes, expected: bytes) -> Check:
    _bounded(n, r, p)
    if not 16 <= len(expected) <= 128:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="scrypt")

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(
            password, salt=salt, n=n, r=r, p=p, maxmem=2 * MOST_MEMORY, dklen=len(expected)
        )
        return hmac.compare_digest(made, expected)

    return check


def _bounded(n: int, r: int, p: int) -> None:
    """Checks the parameters of scrypt (RFC 7914 section 2). Raises UnknownHash."""
    if n < 2 or n & (n - 1) or not 0 < r <= 64 or not 0 < p <= MOST_LANES or n >= 1 << (16 * r):
        raise UnknownHash("hash_parameters_out_of_range", algorithm="scrypt")
    _affordable(128 * n * r * p * SCRYPT_BYTE, 128 * n * r + 128 * r * p)


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
        raise UnknownHash("hash_malformed")
    return lambda password: hmac.compare_digest(
        hashlib.new(name, password + salt).digest(), expected
    )


_B = r"[A-Za-z0-9+/.=_-]"
_BCRYPT = r"(?P<stored>\$2[aby]\$\d\d\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})"
FORMATS: Final[list[tuple[str, Callable[..., Check]]]] = [
    (
        r"(?:argon2)?(?P<stored>\$argon2(?P<type>d|i|id)(?:\$v=(?:16|19))?\$m=(?P<m>[1-9]\d{0,9})"
        r",t=(?P<t>[1-9]\d{0,9}),p=(?P<p>[1-9]\d?)\$(?P<salt>[\w+/]+)\$(?P<key>[\w+/]+))",
        _argon2,
    ),
    (rf"(?:bcrypt\$)?{_BCRYPT}", _bcrypt),
    (rf"bcrypt_sha256\${_BCRYPT}", _bcrypt_sha256),
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
