"""A file that only one deployment can open, as a sequence of chunks that are verified one by one.

The first line names the format, the second one has a header as JSON. Then come the chunks, each with its
length before it. A random key seals them with AES-256-GCM, and HPKE (RFC 9180, base mode: X25519,
HKDF-SHA256, AES-256-GCM) seals that key for its recipient. The nonce of a chunk is its number, and whether it
is the last one: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015). So no chunk can be
changed, moved, repeated or left out, and no file can be cut short. The header is bound to every chunk.

Nobody signs the file. Everybody who knows the public key of the recipient can write one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from aero2.failures import CommandError
from aero2.transfers.transfer_key import TransferKey, private_key
from common.crypto import KEY_BYTES, Keys

FORMAT: Final = b"aero2-application-1\n"
FORMATS: Final = b"aero2-application-"
"""How the file of any version begins."""
INFO: Final = b"aero2/application transfer/1"
"""The application's own part of the key schedule (RFC 9180 section 5.1)."""
LONGEST_HEADER: Final = 4096
LONGEST_CHUNK: Final = 16 * 1024 * 1024
"""Bytes of a chunk, so that a file cannot take all memory."""
TAG: Final = 16
"""Bytes that AES-GCM adds."""


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class SealedWriter:
    """Writes a file for one recipient."""

    def __init__(self, file: BinaryIO, recipient: TransferKey) -> None:
        key = secrets.token_bytes(KEY_BYTES)
        sealed = _suite().encrypt(key, recipient.public_key(), info=INFO)
        header = {"key": recipient.id, "sealed": b64encode(sealed).decode()}
        self._file, self._cipher, self._number = file, AESGCM(key), 0
        text = FORMAT + json.dumps(header).encode() + b"\n"
        self._bound = hashlib.sha256(text).digest()
        file.write(text)

    def write(self, plain: bytes, *, last: bool = False) -> None:
        """Writes a chunk. Raises CommandError for one that nobody would read."""
        if len(plain) > LONGEST_CHUNK:
            raise CommandError(
                f"A row is longer than {LONGEST_CHUNK} bytes and cannot be exported."
            )
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), plain, self._bound)
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


@dataclass(frozen=True)
class Chunk:
    """The content of a verified chunk, and whether it is the last one of the file."""

    plain: bytes
    last: bool


class SealedReader:
    """Reads a file for this deployment. Raises CommandError if it is for another one."""

    def __init__(self, file: BinaryIO, keys: Keys) -> None:
        self._file = file
        first = file.readline(len(FORMATS) + 16)
        if first != FORMAT:
            raise CommandError(
                "The file has a newer format. Import it with the version that wrote it, or a later one."
                if first.startswith(FORMATS)
                else "That is no file of `aero2 apps export`."
            )
        line = file.readline(LONGEST_HEADER)
        self._bound = hashlib.sha256(first + line).digest()
        self._cipher = AESGCM(self._opened(line, keys))

    def _opened(self, line: bytes, keys: Keys) -> bytes:
        try:
            header = json.loads(line)
            id, sealed = str(header["key"]), b64decode(header["sealed"], validate=True)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise damaged("its header cannot be read") from None
        try:
            key = _suite().decrypt(sealed, private_key(keys, id), info=INFO)
        except (InvalidTag, ValueError):
            raise damaged("its header was changed, or it is for another deployment") from None
        if len(key) != KEY_BYTES:
            raise damaged("its key has another length")
        return key

    def chunks(self) -> Iterator[Chunk]:
        """Yields the chunks in their order, each after it was verified. Raises CommandError."""
        number, upcoming = 0, self._file.read(4)
        while True:
            size = int.from_bytes(upcoming, "big")
            if len(upcoming) < 4 or not TAG <= size <= LONGEST_CHUNK + TAG:
                raise damaged(
                    f"it ends before chunk {number + 1}, or chunk {number + 1} is not whole"
                )
            if len(sealed := self._file.read(size)) < size:
                raise damaged(f"it ends in chunk {number + 1}")
            upcoming = self._file.read(4)
            last = not upcoming
            try:
                plain = self._cipher.decrypt(_nonce(number, last=last), sealed, self._bound)
            except InvalidTag:
                raise damaged(f"chunk {number + 1} is not what was written there") from None
            yield Chunk(plain, last)
            if last:
                return
            number += 1


def damaged(why: str) -> CommandError:
    """Returns the error for a file that cannot be trusted."""
    return CommandError(f"The file is damaged, not complete, or was changed: {why}.")
