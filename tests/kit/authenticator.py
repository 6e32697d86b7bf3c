"""A software authenticator with its browser (Web Authentication Level 3), for tests. It can break each
rule of the two ceremonies.

authenticator = Authenticator("https://shop.id.example.org")
credential = authenticator.create(options)
credential = authenticator.get(options, user_verified=False)
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

NO_AAGUID = bytes(16)
ICLOUD = bytes.fromhex("fbfc3007154e4ecc8c0b6e020557d7bd")
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey, and the browser page at `origin`. `counter` grows with each signature by `step`."""

    origin: str
    alg: int = -7
    aaguid: bytes = NO_AAGUID
    counter: int = 0
    step: int = 0
    backup_eligible: bool = True
    backed_up: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes | None = None

    def __post_init__(self) -> None:
        self.key: Key = _new_key(self.alg)

    @property
    def id(self) -> str:
        """The credential's id, as the API has it."""
        return b64(self.credential_id)

    def create(self, options: dict[str, Any], **flaws: Any) -> dict[str, Any]:
        """Answers `navigator.credentials.create`. The flaws are those of `_client_data` and
        `_authenticator_data`, and `statement` for an attestation."""
        self.user_handle = unb64(options["user"]["id"])
        client = self._client_data("webauthn.create", options, flaws)
        data = self._authenticator_data(options["rp"]["id"], flaws, attested=True)
        statement = flaws.get("statement", {})
        packed = {"fmt": "packed" if statement else "none", "attStmt": statement, "authData": data}
        response = {
            "clientDataJSON": b64(client),
            "attestationObject": b64(cbor2.dumps(packed)),
            "transports": ["internal", "hybrid"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any], **flaws: Any) -> dict[str, Any]:
        """Answers `navigator.credentials.get`. More flaws than those of `create`: `user_handle`, `signer`
        (another key)."""
        self.counter += self.step
        client = self._client_data("webauthn.get", options, flaws)
        data = self._authenticator_data(options["rpId"], flaws, attested=False)
        signed = data + hashlib.sha256(client).digest()
        handle = flaws.get("user_handle", self.user_handle)
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(_sign(flaws.get("signer", self.key), signed)),
            "userHandle": None if handle is None else b64(handle),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "rawId": self.id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "response": response,
            "clientExtensionResults": {},
        }

    def _client_data(self, kind: str, options: dict[str, Any], flaws: dict[str, Any]) -> bytes:
        data: dict[str, Any] = {
            "type": flaws.get("type", kind),
            "challenge": flaws.get("challenge", options["challenge"]),
            "origin": flaws.get("origin", self.origin),
            "crossOrigin": flaws.get("cross_origin", False),
        }
        if "top_origin" in flaws:
            data["topOrigin"] = flaws["top_origin"]
        return json.dumps(data).encode()

    def _authenticator_data(self, rp_id: str, flaws: dict[str, Any], *, attested: bool) -> bytes:
        flags = (
            flaws.get("user_present", True)
            | flaws.get("user_verified", True) << 2
            | flaws.get("backup_eligible", self.backup_eligible) << 3
            | flaws.get("backed_up", self.backed_up) << 4
            | attested << 6
        )
        counter = flaws.get("counter", self.counter)
        data: bytes = hashlib.sha256(flaws.get("rp_id", rp_id).encode()).digest()
        data += bytes([flags]) + counter.to_bytes(4, "big")
        if attested:
            id = flaws.get("credential_id", self.credential_id)
            data += self.aaguid + len(id).to_bytes(2, "big") + id
            data += cbor2.dumps(flaws.get("cose_key") or _cose_key(self.key, self.alg))
        return data


def host(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def _new_key(alg: int) -> Key:
    if alg == -8:
        return ed25519.Ed25519PrivateKey.generate()
    if alg in (-257, -258):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP384R1() if alg == -35 else ec.SECP256R1())


def _cose_key(key: Key, alg: int) -> dict[int, Any]:
    """Returns the public key as a COSE_Key (RFC 9052 section 7, RFC 9053)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: alg, -1: 6, -2: key.public_key().public_bytes_raw()}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return {1: 3, 3: alg, -1: modulus, -2: numbers.e.to_bytes(3, "big")}
    point = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    curve = 2 if size == 48 else 1
    x, y = point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big")
    return {1: 2, 3: alg, -1: curve, -2: x, -3: y}


def _sign(key: Key, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))
