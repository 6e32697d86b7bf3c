"""Verifiers of hashes of other systems, each within a limit of time and memory."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
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


Check = Callable[[bytes], bool]


def _affordable(seconds: float, memory: int = 0) -> None:
    """Checks the estimated cost of a hash. Raises UnknownHash."""
    if memory > MOST_MEMORY:
        raise UnknownHash("hash_needs_memory", maximum=MOST_MEMORY >> 20)
    if seconds > MOST_SECONDS:
        raise UnknownHash("hash_needs_time")


def argon2_verifier(
    stored: str, type: str, m: str, t: str, *, p: str, salt: str, key: str
) -> Check:
    """Verifies Argon2 in the PHC format. RFC 9106 section 3.1 has the limits."""
    kib, passes, lanes = int(m), int(t), int(p)
    if lanes > MOST_LANES or kib < 8 * lanes:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="Argon2")
    threads = 4 * lanes if lanes > 1 else 0
    _affordable(passes * (kib * ARGON2_KIB + threads * ARGON2_THREAD), kib * 1024)
    for text, least in ((salt, 8), (key, 12)):
        data = decode_base64(text)
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


def bcrypt_sha256_verifier(stored: str) -> Check:
    """Verifies Django's BCryptSHA256PasswordHasher: bcrypt of the hexadecimal SHA-256."""
    check = bcrypt_verifier(stored)
    return lambda password: check(hashlib.sha256(password).hexdigest().encode())


def decode_base64(text: str) -> bytes:
    """Decodes standard or URL-safe base64, or passlib's with `.` for `+`. Padding is optional."""
    text = text.replace(".", "+").replace("-", "+").replace("_", "/").rstrip("=")
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def bcrypt_verifier(stored: str) -> Check:
    """Verifies bcrypt."""
    cost = int(stored[4:6])
    if cost < 4:
        raise UnknownHash("hash_parameters_out_of_range", algorithm="bcrypt")
    _affordable(2**cost * BCRYPT_ROUND)
    as_2b = ("$2b" + stored[3:]).encode()
    # bcrypt itself only ever saw the first 72 bytes; what replaces it sees all.
    return lambda password: bcrypt.checkpw(password[:72], as_2b)


def pbkdf2_verifier(name: str, iterations: int, salt: bytes, expected: bytes) -> Check:
    """Verifies PBKDF2 with one of several digests."""
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


def scrypt_verifier(n: int, r: int, p: int, salt: bytes, *, expected: bytes) -> Check:
    """Verifies scrypt."""
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


def firebase_verifier(ln: str, r: str, ss: str, sk: str, *, salt: str, key: str) -> Check:
    """Verifies Firebase's scrypt: AES-256-CTR of the signer key under scrypt(password, salt +
    separator)."""
    n, rounds = 1 << int(ln), int(r)
    _bounded(n, rounds, 1)
    signer, expected, salted = (
        decode_base64(sk),
        decode_base64(key),
        decode_base64(salt) + decode_base64(ss),
    )

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(
            password, salt=salted, n=n, r=rounds, p=1, maxmem=2 * MOST_MEMORY, dklen=32
        )
        cipher = Cipher(AES(made), CTR(b"\0" * 16)).encryptor()
        return hmac.compare_digest(cipher.update(signer) + cipher.finalize(), expected)

    return check


def ldap_verifier(scheme: str, data: str) -> Check:
    """Verifies the schemes of LDAP: salted or plain SHA."""
    name = {"SHA": "sha1", "SSHA": "sha1"}.get(scheme.upper()) or "sha" + scheme[-3:]
    size = hashlib.new(name).digest_size
    raw = decode_base64(data)
    expected, salt = raw[:size], raw[size:]
    if len(expected) != size or (scheme.upper().startswith("SSHA") and not salt):
        raise UnknownHash("hash_malformed")
    return lambda password: hmac.compare_digest(
        hashlib.new(name, password + salt).digest(), expected
    )
