"""The two ceremonies of Web Authentication Level 3 (sections 7.1 and 7.2), without storage.

The library verifies structures and signatures. Other rules are checked here first, each with a reason
of its own: the kind of call, the origin, frames of other sites, the host, and that the authenticator
verified the user.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import cbor2
import webauthn
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_authenticator_data,
    parse_backup_flags,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.registration.verify_registration_response import VerifiedRegistration

from common.crypto import b64url
from identity.webauthn_answers import BrowserAnswer
from identity.webauthn_options import ALGORITHMS

MAX_CREDENTIAL_ID: Final = 1023
"""Bytes (Web Authentication Level 3, section 7.1, step 25)."""
RSA_BITS: Final = range(2048, 4097)
"""A longer key would make each sign-in expensive."""
TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})


class RefusedCeremony(Exception):
    """The browser's answer breaks a rule. `reason` is a word for the audit log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class VerifiedPasskey:
    """A new passkey, verified. `public_key` is a COSE key (RFC 9052 section 7)."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str | None
    transports: list[str]
    backup_eligible: bool
    backed_up: bool

    @property
    def amr(self) -> list[str]:
        """The methods of RFC 8176."""
        return methods(self.backup_eligible)


@dataclass(frozen=True)
class VerifiedAssertion:
    """The state of a passkey's authenticator, after a signature that was verified."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool

    @property
    def amr(self) -> list[str]:
        """The methods of RFC 8176."""
        return methods(self.backup_eligible)


def methods(backup_eligible: bool) -> list[str]:
    """Returns the methods of RFC 8176 for a verified user with a passkey: a key that can be copied, or
    one in hardware."""
    return ["swk" if backup_eligible else "hwk", "user"]


def _check_client(answer: BrowserAnswer, kind: str, origin: str) -> None:
    if answer.kind != kind:
        raise RefusedCeremony("type")
    if answer.in_frame:
        raise RefusedCeremony("cross_origin")
    if answer.origin != origin:
        raise RefusedCeremony("origin")


def _check_authenticator(data: bytes, rp_id: str) -> tuple[bool, bool]:
    """Checks the host and the user verification. Returns whether the key can be copied, and whether
    it has been."""
    try:
        parsed = parse_authenticator_data(data)
        parse_backup_flags(parsed.flags)
    except Exception:  # as above: several kinds
        raise RefusedCeremony("authenticator_data") from None
    if parsed.rp_id_hash != hashlib.sha256(rp_id.encode()).digest():
        raise RefusedCeremony("rp_id")
    if not parsed.flags.up:
        raise RefusedCeremony("user_presence")
    if not parsed.flags.uv:
        raise RefusedCeremony("user_verification")
    return parsed.flags.be, parsed.flags.bs


def verify_registration(answer: BrowserAnswer, *, rp_id: str, origin: str) -> VerifiedPasskey:
    """Verifies an answer of `navigator.credentials.create` (section 7.1). Raises RefusedCeremony."""
    _check_client(answer, "webauthn.create", origin)
    response = answer.credential["response"]
    data = _authenticator_data(response["attestationObject"])
    eligible, backed_up = _check_authenticator(data, rp_id)
    verified = _registered(answer, data, rp_id=rp_id, origin=origin)
    if verified.credential_id != answer.credential_id:
        raise RefusedCeremony("credential_id")
    if not 16 <= len(verified.credential_id) <= MAX_CREDENTIAL_ID:
        raise RefusedCeremony("credential_id")
    return VerifiedPasskey(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=verified.aaguid or None,
        transports=_transports(response.get("transports")),
        backup_eligible=eligible,
        backed_up=backed_up,
    )


def _registered(
    answer: BrowserAnswer, data: bytes, *, rp_id: str, origin: str
) -> VerifiedRegistration:
    """Verifies the answer with the library. No attestation was requested, so none is read: its
    certificates would be a stranger's input."""
    bare = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
    stripped = {
        **answer.credential["response"],
        "attestationObject": b64url(bare),
        "transports": [],
    }
    try:
        verified = webauthn.verify_registration_response(
            credential={
                "id": answer.credential["id"],
                "rawId": answer.credential["rawId"],
                "type": answer.credential.get("type"),
                "response": stripped,
            },
            expected_challenge=base64url_to_bytes(answer.challenge),
            expected_rp_id=rp_id,
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in ALGORITHMS],
        )
        _check_key(verified.credential_public_key)
    except RefusedCeremony:
        raise
    except Exception:
        raise RefusedCeremony("credential") from None
    return verified


def _authenticator_data(attestation_object: str) -> bytes:
    try:
        data = cbor2.loads(base64url_to_bytes(attestation_object))["authData"]
    except Exception:
        raise RefusedCeremony("attestation_object") from None
    if not isinstance(data, bytes):
        raise RefusedCeremony("attestation_object")
    return data


def _check_key(public_key: bytes) -> None:
    """Checks that the key is what its algorithm says, and no more expensive than it should be."""
    decoded = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(decoded)
    algorithm = int(decoded.alg)
    fits = {
        -8: isinstance(key, Ed25519PublicKey),
        -7: isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1),
        -257: isinstance(key, RSAPublicKey)
        and key.key_size in RSA_BITS
        and key.public_numbers().e < 1 << 32,
    }
    if not fits.get(algorithm, False):
        raise RefusedCeremony("algorithm")


def _transports(sent: object) -> list[str]:
    if not isinstance(sent, list):
        return []
    return sorted({name for name in sent if isinstance(name, str)} & TRANSPORTS)


def verify_assertion(
    answer: BrowserAnswer, *, rp_id: str, origin: str, public_key: bytes, user_handle: bytes | None
) -> VerifiedAssertion:
    """Verifies an answer of `navigator.credentials.get` (section 7.2), except the counter: the
    statement that stores it compares it. Raises RefusedCeremony."""
    _check_client(answer, "webauthn.get", origin)
    if answer.user_handle is not None and answer.user_handle != user_handle:
        raise RefusedCeremony("user_handle")
    response = answer.credential["response"]
    try:
        data = base64url_to_bytes(response["authenticatorData"])
    except Exception:
        raise RefusedCeremony("authenticator_data") from None
    eligible, backed_up = _check_authenticator(data, rp_id)
    try:
        verified = webauthn.verify_authentication_response(
            credential=answer.credential,
            expected_challenge=base64url_to_bytes(answer.challenge),
            expected_rp_id=rp_id,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception:
        raise RefusedCeremony("signature") from None
    return VerifiedAssertion(verified.new_sign_count, eligible, backed_up)
