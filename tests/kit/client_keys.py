"""Keys of a client that signs: its client assertions (RFC 7523) and request objects (RFC 9101)."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAKE: dict[str, Any] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@dataclass
class ClientKey:
    """A private key, and what a client makes with it. A claim that is None is left out."""

    alg: str = "ES256"
    kid: str = "k1"
    key: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.key = MAKE[self.alg]()

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as a client registers it."""
        made = get_default_algorithms()[self.alg].to_jwk(self.key.public_key())
        jwk = json.loads(made) if isinstance(made, str) else made
        return {"keys": [{**jwk, "kid": self.kid, "alg": self.alg, "use": "sig"}]}

    def sign(self, claims: dict[str, Any], *, alg: str | None = None, **header: Any) -> str:
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.key, alg or self.alg, headers={"kid": self.kid} | header)

    def assertion(self, client_id: str, issuer: str, **changes: Any) -> dict[str, str]:
        """Returns the parameters that authenticate the client."""
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "exp": int(time.time()) + 60,
            "jti": secrets.token_hex(),
        }
        signed = self.sign(claims | changes)
        return {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}

    def request_object(
        self,
        params: dict[str, Any],
        issuer: str,
        *,
        typ: str = "oauth-authz-req+jwt",
        **changes: Any,
    ) -> str:
        """Returns the parameters of an authorization request, signed."""
        about = {
            "iss": params.get("client_id"),
            "aud": issuer,
            "exp": int(time.time()) + 60,
            "nbf": int(time.time()),
        }
        return self.sign({**params, **about, **changes}, typ=typ)
