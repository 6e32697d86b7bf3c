"""The key of a deployment for files that only it can open.

It is derived from the master key, so nothing has to be stored, and a file can be opened for as long as
that master key is configured.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from aero2.failures import CommandError
from common.crypto import Keys, b64url
from common.sealing import unb64

LABEL: Final = "application transfer"
"""The purpose for which the private key is derived from a master key."""
PREFIX: Final = "aero2-transfer-1"
FORM: Final = re.compile(
    rf"{PREFIX}\.([0-9A-Za-z]{{1,16}})\.([0-9A-Za-z_-]{{43}})\.([0-9A-Za-z_-]{{6}})"
)


@dataclass(frozen=True)
class TransferKey:
    """The public key of a deployment: `id` is that of its master key, `raw` an X25519 key (RFC 7748)."""

    id: str
    raw: bytes

    @staticmethod
    def of(keys: Keys) -> TransferKey:
        """Returns the key of the deployment with these master keys."""
        return TransferKey(
            keys.active, private_key(keys, keys.active).public_key().public_bytes_raw()
        )

    @staticmethod
    def parse(text: str) -> TransferKey:
        """Returns the key that `str()` has written. Raises CommandError: a file for a misspelled key could
        never be opened."""
        match = FORM.fullmatch(text.strip())
        if match is None or match[3] != _check(match[1], match[2]):
            raise CommandError(
                "That is no transfer key, or it is not complete. The deployment that the application "
                "goes to prints its key with: aero2 apps transfer-key"
            )
        return TransferKey(match[1], unb64(match[2]))

    def public_key(self) -> X25519PublicKey:
        """Returns the key for the encryption."""
        return X25519PublicKey.from_public_bytes(self.raw)

    def __str__(self) -> str:
        encoded = b64url(self.raw)
        return f"{PREFIX}.{self.id}.{encoded}.{_check(self.id, encoded)}"


def private_key(keys: Keys, id: str) -> X25519PrivateKey:
    """Returns the key that opens what was sealed for a master key. Raises CommandError if that is not
    configured."""
    try:
        return X25519PrivateKey.from_private_bytes(keys.derive(LABEL, id))
    except KeyError:
        known = ", ".join(kid for kid, _ in keys.masters)
        raise CommandError(
            f"The file is for the master key {id}, and this deployment has {known}. It was made for "
            "another deployment, or that key was retired."
        ) from None


def _check(id: str, encoded: str) -> str:
    return b64url(hashlib.sha256(f"{PREFIX}.{id}.{encoded}".encode()).digest())[:6]
