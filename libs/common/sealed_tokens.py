"""Sealed tokens: data that a client keeps for us, and which only we can read or make.

A sealed token is `<master key id>.<base64url of id and ciphertext>`. The 16 bytes of the id are in the
clear. Each token has a key of its own: HMAC-SHA-256 of the id under a key of the application, which is
derived from the master key for one purpose. AES-256-GCM then needs no random nonce, so the number of
tokens has no limit but that of ids (NIST SP 800-38D section 8.2.1: a key is used once).

Nothing is looked up to open a token. Text that a stranger sends costs two digests and one decryption
at most.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.crypto import Keys, b64url
from common.sealing import unb64

ID_BYTES: Final = 16
NONCE: Final = bytes(12)
"""Always the same: a key seals one text only."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sealed token holds."""

    id: str
    plain: bytes


def seal(keys: Keys, *, purpose: str, app_id: str, id: str, plain: bytes) -> str:
    """Returns the token for this application. Never seal two texts under one id (a UUID)."""
    id_bytes = UUID(id).bytes
    kid = keys.active
    cipher = _cipher(keys, kid, purpose=purpose, app_id=app_id, id_bytes=id_bytes)
    return f"{kid}.{b64url(id_bytes + cipher.encrypt(NONCE, plain, None))}"


def open_sealed(
    keys: Keys, *, purpose: str, app_id: str, text: str, max_length: int
) -> Opened | None:
    """Returns what the token holds. Returns None for any text that we did not seal for this purpose
    and application, whoever sent it."""
    if len(text) > max_length:
        return None
    kid, _, encoded = text.partition(".")
    if not any(kid == known for known, _ in keys.masters):
        return None
    try:
        raw = unb64(encoded)
    except ValueError:
        return None
    # A decoder ignores some characters and bits. One token must have one text.
    if len(raw) < ID_BYTES or b64url(raw) != encoded:
        return None
    id_bytes = raw[:ID_BYTES]
    cipher = _cipher(keys, kid, purpose=purpose, app_id=app_id, id_bytes=id_bytes)
    try:
        plain = cipher.decrypt(NONCE, raw[ID_BYTES:], None)
    except InvalidTag:
        return None
    return Opened(str(UUID(bytes=id_bytes)), plain)


def _cipher(keys: Keys, kid: str, *, purpose: str, app_id: str, id_bytes: bytes) -> AESGCM:
    """Returns the cipher of one token."""
    application_key = hmac.digest(keys.derive(f"sealed {purpose}", kid), app_id.encode(), "sha256")
    return AESGCM(hmac.digest(application_key, id_bytes, "sha256"))
