"""Sealed tokens: data that a client keeps for us, and which only we can read or make.

A sealed token is base64url of: the id of a data key (16 bytes), the token's own id (16), and the
ciphertext. Each token has a key of its own: HMAC-SHA-256 of its id under a key that HKDF derives from
the application's data key. A key seals one text, so AES-256-GCM needs no random nonce, and the number
of tokens has no limit but that of ids (NIST SP 800-38D section 8). Data keys are wrapped in the
database by the master key: neither the database nor the master key alone makes a token.

Text that a stranger sends costs two digests and one decryption at most, and no statement: see
`Sealer.token_key`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.crypto import b64url
from common.db import Db
from common.sealing import Reader, Sealer, unb64

ID_BYTES: Final = 16
NONCE: Final = bytes(12)
"""Always the same: a key seals one text only."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The id and the content of a sealed token."""

    id: str
    plain: bytes


async def seal(sealer: Sealer, db: Db, *, purpose: str, app_id: str, id: str, plain: bytes) -> str:
    """Returns the token for this application. Never seal two texts under one id (a UUID)."""
    key_id, key = await sealer.active_token_key(db, app_id)
    id_bytes = UUID(id).bytes
    sealed = _cipher(key, id_bytes).encrypt(NONCE, plain, _bound_to(purpose, app_id))
    return b64url(UUID(key_id).bytes + id_bytes + sealed)


async def open_sealed(
    sealer: Sealer, reader: Reader, *, purpose: str, app_id: str, text: str, max_length: int
) -> Opened | None:
    """Returns what the token holds. Returns None for any text that we did not seal for this purpose
    and application."""
    if len(text) > max_length:
        return None
    try:
        raw = unb64(text)
    except ValueError:
        return None
    # A decoder ignores some characters and bits. One token must have one text.
    if len(raw) < 2 * ID_BYTES or b64url(raw) != text:
        return None
    id_bytes = raw[ID_BYTES : 2 * ID_BYTES]
    key = await sealer.token_key(reader, app_id, str(UUID(bytes=raw[:ID_BYTES])))
    if key is None:
        return None
    try:
        plain = _cipher(key, id_bytes).decrypt(
            NONCE, raw[2 * ID_BYTES :], _bound_to(purpose, app_id)
        )
    except InvalidTag:
        return None
    return Opened(str(UUID(bytes=id_bytes)), plain)


def _cipher(key: bytes, id_bytes: bytes) -> AESGCM:
    """Returns the cipher of one token."""
    return AESGCM(hmac.digest(key, id_bytes, "sha256"))


def _bound_to(purpose: str, app_id: str) -> bytes:
    return f"{purpose}|{app_id}".encode()
