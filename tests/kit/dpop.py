"""A client's key, and its proofs of possession (RFC 9449), made by an independent library."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class DpopKey:
    """A key pair of a client."""

    def __init__(self, alg: str = "ES256") -> None:
        self.alg = alg
        self.key: Any
        if alg == "ES256":
            self.key = ec.generate_private_key(ec.SECP256R1())
        elif alg == "EdDSA":
            self.key = ed25519.Ed25519PrivateKey.generate()
        else:
            self.key = rsa.generate_private_key(65537, 2048)
        algorithm = jwt.algorithms.get_default_algorithms()[alg]
        full = algorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.private_jwk = algorithm.to_jwk(self.key, as_dict=True)
        self.jwk = {name: full[name] for name in MEMBERS[full["kty"]]}

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return b64url(hashlib.sha256(text.encode()).digest())

    @property
    def cnf(self) -> dict[str, str]:
        return {"jkt": self.thumbprint}

    def proof(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        nonce: str | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Returns a proof for one request. A claim or member of the header that is None is left out."""
        body = {
            "jti": secrets.token_hex(12),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "nonce": nonce,
            "ath": None if token is None else b64url(hashlib.sha256(token.encode()).digest()),
            **claims,
        }
        members = {"typ": "dpop+jwt", "jwk": self.jwk, **(header or {})}
        return jwt.encode(
            {name: value for name, value in body.items() if value is not None},
            self.key,
            algorithm=self.alg,
            headers={name: value for name, value in members.items() if value is not None},
        )
