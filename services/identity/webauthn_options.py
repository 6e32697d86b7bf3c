"""The options of both ceremonies, as `navigator.credentials` takes them (Web Authentication Level 3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from common.crypto import b64url

ALGORITHMS: Final = (-8, -7, -257)
"""EdDSA, ES256 and RS256, the best first (RFC 9053; RFC 8812)."""
TIMEOUT: Final = 300_000
"""Milliseconds, as the options have it."""


def creation_options(
    *,
    rp_id: str,
    rp_name: str,
    challenge: str,
    user_handle: bytes,
    name: str,
    display_name: str,
    excluded: Collection[bytes],
) -> dict[str, Any]:
    """Returns the PublicKeyCredentialCreationOptionsJSON (section 5.4)."""
    return {
        "rp": {"id": rp_id, "name": rp_name},
        "user": {"id": b64url(user_handle), "name": name, "displayName": display_name},
        "challenge": challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in ALGORITHMS],
        "timeout": TIMEOUT,
        "excludeCredentials": [{"type": "public-key", "id": b64url(id)} for id in excluded],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def request_options(*, rp_id: str, challenge: str) -> dict[str, Any]:
    """Returns the PublicKeyCredentialRequestOptionsJSON (section 5.5). It names no passkey: the
    browser offers those that it has."""
    return {
        "challenge": challenge,
        "timeout": TIMEOUT,
        "rpId": rp_id,
        "userVerification": "required",
    }
