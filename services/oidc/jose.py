"""Signs and verifies compact JWS (RFC 7515), and reads JWKs (RFC 7517).

The cryptography is that of PyJWT and of the package cryptography. Keys are loaded once.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from common.crypto import b64url
from common.sealing import unb64

ALGORITHMS: Final[dict[str, Algorithm]] = {
    name: get_default_algorithms()[name] for name in ("RS256", "PS256", "ES256", "EdDSA")
}
"""Algorithms that we and clients may sign with. `none` and HMAC are not among them."""
ACCESS_TOKEN: Final = "at+jwt"
"""The `typ` of an access token (RFC 9068 section 2.1)."""
ID_TOKEN: Final = "JWT"
LOGOUT_TOKEN: Final = "logout+jwt"
"""The `typ` of a logout token (Back-Channel Logout 1.0 section 2.4)."""
MAX_LENGTH: Final = 16_384
RSA_BITS: Final = range(2048, 4097)
RSA_EXPONENTS: Final = range(3, 2**32, 2)
"""RSA keys of clients that we accept. A longer key or exponent makes each verification slower."""
MAX_MEMBER: Final = 700
"""Characters of a number in a JWK. 4096 bits have 683."""
_PARTS: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_STRINGS: Final = ("alg", "typ", "kid", "cty")
SKEW: Final = 30
"""Seconds by which `nbf` and `iat` may be in the future."""
_LAST: Final = 253402300799
"""The last second of the year 9999. Python has no later date."""
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_THUMBPRINT: Final = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}


class BadToken(Exception):
    """The token or key is malformed, or was not made for this purpose."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures. `jwk` has its public members."""

    kid: str
    alg: str
    key: Any
    jwk: dict[str, str]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tells whether this key made the signature of the message."""
        return ALGORITHMS[self.alg].verify(message, self.key, signature)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs. `headers` has the encoded header of each type of token."""

    kid: str
    alg: str
    key: Any
    headers: dict[str, bytes]

    def sign(self, typ: str, claims: dict[str, Any]) -> str:
        """Returns a signed JWT with these claims."""
        header = self.headers.get(typ)
        if header is None:
            fields = {"alg": self.alg, "typ": typ, "kid": self.kid}
            header = self.headers[typ] = b64url(orjson.dumps(fields)).encode()
        message = header + b"." + b64url(orjson.dumps(claims)).encode()
        signature = ALGORITHMS[self.alg].sign(message, self.key)
        return f"{message.decode()}.{b64url(signature)}"


def generate(alg: str) -> bytes:
    """Returns a new private key as PKCS #8. RSA takes up to a second: call it in a thread."""
    key: Any
    if alg in ("RS256", "PS256"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif alg == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif alg == "EdDSA":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ValueError(f"no key for {alg}")
    der: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


def load_private(kid: str, alg: str, der: bytes) -> SigningKey:
    """Loads one of our own keys. It is not checked again: for RSA that takes 38 ms."""
    key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    return SigningKey(kid, alg, key, {})


def public_jwk(alg: str, der: bytes) -> dict[str, str]:
    """Returns the public part of a private key (RFC 7517).

    Its `kid` is the algorithm and the thumbprint.
    """
    public = load_private("", alg, der).key.public_key()
    full: dict[str, Any] = ALGORITHMS[alg].to_jwk(public, as_dict=True)
    kty = full["kty"]
    jwk = {"kty": kty, **{name: full[name] for name in _PUBLIC[kty]}}
    return jwk | {"alg": alg, "use": "sig", "kid": f"{alg.lower()}-{thumbprint(jwk)[:22]}"}


def thumbprint(jwk: dict[str, Any]) -> str:
    """Returns the thumbprint of a key (RFC 7638)."""
    members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    return b64url(hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest())


def load_public(jwk: dict[str, Any], alg: str | None = None) -> PublicKey:
    """Loads a public key. Raises BadToken if it is private, too weak or of another algorithm."""
    kty, chosen = jwk.get("kty"), alg or jwk.get("alg")
    if not isinstance(kty, str) or not isinstance(chosen, str):
        raise BadToken("the key type or algorithm is not a string")
    if kty not in _PUBLIC or chosen not in ALGORITHMS:
        raise BadToken("the key type or algorithm is not supported")
    if any(jwk.get(name) is None for name in _PUBLIC[kty]) or jwk.get("use", "sig") != "sig":
        raise BadToken("the key is not a public signature key")
    members = {"kty": kty, **{name: str(jwk[name]) for name in _PUBLIC[kty]}}
    if any(len(text) > MAX_MEMBER for text in members.values()):
        raise BadToken("the key is too long")
    try:
        key: Any = ALGORITHMS[chosen].from_jwk(members)
    except (PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise BadToken("the key does not fit the algorithm") from None
    if isinstance(key, rsa.RSAPublicKey) and (
        key.key_size not in RSA_BITS or key.public_numbers().e not in RSA_EXPONENTS
    ):
        raise BadToken("RSA keys need 2048 to 4096 bits and an exponent below 2^32")
    if chosen == "ES256" and not isinstance(getattr(key, "curve", None), ec.SECP256R1):
        raise BadToken("ES256 needs a P-256 key")
    if chosen == "EdDSA" and not isinstance(key, ed25519.Ed25519PublicKey):
        raise BadToken("EdDSA needs an Ed25519 key")
    return PublicKey(str(jwk.get("kid", "")), chosen, key, members)


def split(token: str) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Returns header, payload, signed bytes and signature. Nothing is verified. Raises BadToken.

    Only `alg`, `typ`, `kid` and `cty` of the header are used (RFC 7515 section 4). Keys never come
    from the token (`jwk`, `jku`, `x5u`, `x5c`). No extension is supported, so a header with `crit`
    is refused (section 4.1.11).
    """
    match = _PARTS.fullmatch(token) if len(token) <= MAX_LENGTH else None
    if match is None:
        raise BadToken("not a compact JWS")
    head, body, signature = match.groups()
    try:
        header = orjson.loads(unb64(head))
    except ValueError:
        raise BadToken("the header is not JSON") from None
    if not isinstance(header, dict) or "crit" in header:
        raise BadToken("the header is not an object, or has crit")
    if not all(isinstance(header.get(name, ""), str) for name in _STRINGS):
        raise BadToken("a member of the header is not a string")
    if not all(_is_canonical(part) for part in match.groups()):
        raise BadToken("not base64url")
    try:
        return header, unb64(body), f"{head}.{body}".encode(), unb64(signature)
    except ValueError:
        raise BadToken("not base64url") from None


def _is_canonical(part: str) -> bool:
    """Tells whether the unused bits of the last character are zero (RFC 4648 section 3.5).

    Otherwise one token could be written in several ways.
    """
    try:
        return b64url(unb64(part)) == part
    except ValueError:
        return False


def verify(
    token: str, find: Callable[[str], PublicKey | None], *, types: frozenset[str]
) -> dict[str, Any]:
    """Returns the claims of a token that one of our keys signed. Raises BadToken.

    `find` returns the key with a `kid`. `types` are the accepted values of `typ`. An expired token
    is not refused.
    """
    header, body, message, signature = split(token)
    kid = header.get("kid")
    key = find(kid) if isinstance(kid, str) else None
    if key is None:
        raise BadToken("none of this application's keys signed it")
    if header.get("alg") != key.alg:
        raise BadToken("the algorithm is not the key's")
    if header.get("typ") not in types:
        raise BadToken("the token has another type")
    if not key.verifies(message, signature):
        raise BadToken("the signature is not valid")
    try:
        claims = orjson.loads(body)
    except ValueError:
        raise BadToken("the claims are not JSON") from None
    if not isinstance(claims, dict):
        raise BadToken("the claims are not an object")
    _require(claims)
    return claims


def _require(claims: dict[str, Any]) -> None:
    """Checks the claims that all our tokens have (RFC 7519 section 4.1). Raises BadToken.

    `exp` may be in the past: an expired ID token is a valid hint.
    """
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise BadToken("aud is not a string or a list of strings")
    for name in ("iss", "sub"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise BadToken(f"{name} is not a string")
    if not all(_is_date(claims.get(name)) for name in ("exp", "iat")):
        raise BadToken("exp or iat is not a date")
    not_before = claims.get("nbf", claims["iat"])
    if not _is_date(not_before) or max(not_before, claims["iat"]) > time.time() + SKEW:
        raise BadToken("the token is not valid yet")


def _is_date(value: object) -> bool:
    """Tells whether this is a NumericDate (RFC 7519 section 2) before the year 10000."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LAST


def half_hash(alg: str, value: str) -> str:
    """Returns `at_hash`: the left half of the digest (OpenID Connect Core section 3.1.3.6)."""
    digest = (hashlib.sha512 if alg == "EdDSA" else hashlib.sha256)(value.encode()).digest()
    return b64url(digest[: len(digest) // 2])
