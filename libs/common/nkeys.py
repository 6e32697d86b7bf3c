"""Keys of NATS as text (nkeys): base32 of a prefix, 32 bytes and a checksum.

The package `nkeys` has no wheel and knows no curve keys, so this is our own. Signatures are Ed25519.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KeyKind = Literal["account", "curve", "server", "user"]
PREFIXES: Final[dict[KeyKind, int]] = {
    "account": 0,  # A
    "server": 13 << 3,  # N
    "user": 20 << 3,  # U
    "curve": 23 << 3,  # X
}
SEED: Final = 18 << 3
"""The prefix of a seed, S. The prefix of its public key follows in the next bits."""
SIZE: Final = 32
"""Bytes of a key."""


class BadNatsKey(ValueError):
    """A text is no key of the kind that is expected."""


@dataclass(frozen=True)
class NatsKey:
    """A key pair, by its seed."""

    kind: KeyKind
    raw_seed: bytes = field(repr=False)

    @classmethod
    def generate(cls, kind: KeyKind) -> NatsKey:
        """Returns a new key."""
        return cls(kind, secrets.token_bytes(SIZE))

    @classmethod
    def parse(cls, seed: str, kind: KeyKind) -> NatsKey:
        """Returns the key of a seed like `SA…` or `SX…`. Raises BadNatsKey."""
        raw = _decode(seed)
        prefix = PREFIXES[kind]
        if len(raw) != SIZE + 2 or raw[:2] != bytes([SEED | prefix >> 5, (prefix & 31) << 3]):
            raise BadNatsKey(f"this is no seed of the kind {kind}")
        return cls(kind, raw[2:])

    @property
    def seed(self) -> str:
        """The seed as text. It is the secret."""
        prefix = PREFIXES[self.kind]
        head = bytes([SEED | prefix >> 5, (prefix & 31) << 3])
        return _encode(head + self.raw_seed)

    @property
    def public(self) -> str:
        """The public key as text."""
        if self.kind == "curve":
            curve = X25519PrivateKey.from_private_bytes(self.raw_seed).public_key()
            return encode_public(self.kind, curve.public_bytes(Encoding.Raw, PublicFormat.Raw))
        key = Ed25519PrivateKey.from_private_bytes(self.raw_seed).public_key()
        return encode_public(self.kind, key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """Returns the Ed25519 signature of a message."""
        return Ed25519PrivateKey.from_private_bytes(self.raw_seed).sign(message)


def encode_public(kind: KeyKind, raw: bytes) -> str:
    """Returns a public key as text."""
    return _encode(bytes([PREFIXES[kind]]) + raw)


def decode_public(text: str, kind: KeyKind) -> bytes:
    """Returns the 32 bytes of a public key. Raises BadNatsKey."""
    raw = _decode(text)
    if len(raw) != SIZE + 1 or raw[0] != PREFIXES[kind]:
        raise BadNatsKey(f"this is no public key of the kind {kind}")
    return raw[1:]


def is_signature(public: str, kind: KeyKind, signature: bytes, message: bytes) -> bool:
    """Returns whether the holder of a public key signed a message."""
    try:
        Ed25519PublicKey.from_public_bytes(decode_public(public, kind)).verify(signature, message)
    except (InvalidSignature, BadNatsKey, ValueError):
        return False
    return True


def _encode(raw: bytes) -> str:
    checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (ValueError, binascii.Error):
        raise BadNatsKey("this is no key of NATS") from None
    if len(raw) < 3 or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise BadNatsKey("the checksum of a NATS key is wrong")
    return raw[:-2]
