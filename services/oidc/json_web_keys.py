"""JSON Web Keys (RFC 7517): generates, loads and checks them.

The cryptography is that of PyJWT and of the package cryptography. Keys are loaded once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from common.crypto import b64url

ALGORITHMS: Final[dict[str, Algorithm]] = {
    name: get_default_algorithms()[name] for name in ("RS256", "PS256", "ES256", "EdDSA")
}
"""Algorithms that we and clients may sign with. `none` and HMAC are not among them."""
ECDSA_SHA256: Final = ec.ECDSA(SHA256())
RSA_BITS: Final = range(2048, 4097)
RSA_EXPONENTS: Final = range(3, 2**32, 2)
"""RSA keys of clients that we accept. A longer key or exponent makes each verification slower."""
MAX_MEMBER: Final = 700
"""Characters of a number in a JWK. 4096 bits have 683."""
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
        """Returns whether this key made the signature of the message."""
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
        sign = _sign_es256 if self.alg == "ES256" else ALGORITHMS[self.alg].sign
        return f"{message.decode()}.{b64url(sign(message, self.key))}"


def _sign_es256(message: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Returns R and S, of 32 bytes each (RFC 7518 section 3.4). PyJWT would create the parameters for
    each signature."""
    r, s = decode_dss_signature(key.sign(message, ECDSA_SHA256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class KeySet:
    """An application's keys: one that signs for each algorithm, and all that verify, by `kid`."""

    app_id: str
    signing: dict[str, SigningKey]
    verifying: dict[str, PublicKey]
    jwks: list[dict[str, str]]


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
