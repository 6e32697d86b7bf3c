"""Messages between the server and us, encrypted with curve keys (NATS xkeys)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from common.nkeys import BadNatsKey, NatsKey, decode_public

VERSION: Final = b"xkv1"
NONCE: Final = Box.NONCE_SIZE


class NotEncrypted(ValueError):
    """A message is not encrypted for us by the key that it names."""


@dataclass(frozen=True)
class SealedMessages:
    """Opens requests and seals answers with our curve key."""

    xkey: NatsKey

    def open(self, data: bytes, server_xkey: str | None) -> bytes:
        """Returns the content of a request. Raises NotEncrypted, also for a plain one."""
        if not server_xkey or not data.startswith(VERSION) or len(data) < len(VERSION) + NONCE:
            raise NotEncrypted("the request is not encrypted")
        try:
            return self._box(server_xkey).decrypt(data[len(VERSION) :])
        except (CryptoError, BadNatsKey, ValueError):
            raise NotEncrypted("the request is not encrypted for our key") from None

    def seal(self, data: bytes, server_xkey: str) -> bytes:
        """Returns an answer that only the server can read."""
        return VERSION + bytes(self._box(server_xkey).encrypt(data))

    def _box(self, server_xkey: str) -> Box:
        return Box(PrivateKey(self.xkey.raw_seed), PublicKey(decode_public(server_xkey, "curve")))
