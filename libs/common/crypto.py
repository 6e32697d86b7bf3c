"""Keys of the deployment: keyed digests for what is looked up, sealing for what is read back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
"""The alphabet of base64url in place of that of base64 (RFC 4648 section 5)."""
RECOGNITION: Final = "recognition"
WEAK: Final = frozenset({b"\0" * KEY_BYTES, b"changeme".ljust(KEY_BYTES, b"\0")})


class BadKey(ValueError):
    """The master key is absent, short, a default, or not of the form `id:base64[,id:base64]`."""


@dataclass(frozen=True)
class ImportedKey:
    """Keys of another deployment for one of its master keys, brought by an application: those that make
    digests of some purposes, and the public key of its audit checkpoints, base64url."""

    app_id: str
    id: str
    purposes: Mapping[str, bytes] = field(repr=False)
    audit_key: str


@dataclass(frozen=True)
class Keys:
    """The master keys by id; the first is active, the others still verify and open.

    Everything is derived by HKDF-SHA-256 (RFC 5869) with the purpose as label, so that a digest
    made for one purpose is never accepted for another. Digests are made under a recognition key,
    which is itself derived from the master key: it survives the master key (common/master_keys)
    and opens nothing that was sealed.
    """

    masters: tuple[tuple[str, bytes], ...]
    retired: tuple[tuple[str, bytes], ...] = ()
    """Recognition keys of master keys that are configured no more, by id."""
    eldest: str = ""
    """The id of the deployment's first master key; empty: the last that is configured."""
    retired_audit_keys: tuple[tuple[str, str], ...] = ()
    """Public keys of audit checkpoints that retired master keys have signed, base64url."""
    imported: tuple[ImportedKey, ...] = field(default=(), repr=False)
    """Of applications that came from another deployment (common/imported_keys), of each the eldest first."""

    @staticmethod
    def parse(text: str) -> Keys:
        """Reads `id:base64-of-32-bytes[,id:base64…]`. Raises BadKey, which names the fault."""
        masters: list[tuple[str, bytes]] = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            kid, colon, encoded = part.partition(":")
            if not colon or not kid.isalnum() or len(kid) > 16:
                raise BadKey("each master key is `id:base64`, the id short and alphanumeric")
            try:
                key = b64decode(encoded, validate=True)
            except (Base64Error, ValueError):
                raise BadKey(f"master key {kid!r} is not base64") from None
            if len(key) < KEY_BYTES or key in WEAK or len(set(key)) < 8:
                raise BadKey(f"master key {kid!r} is too weak: {KEY_BYTES} random bytes are needed")
            masters.append((kid, key))
        if not masters:
            raise BadKey("AERO2_MASTER_KEY is empty: make one with `aero2 secrets add`")
        if len({kid for kid, _ in masters}) != len(masters):
            raise BadKey("two master keys have the same id")
        return Keys(tuple(masters))

    @property
    def active(self) -> str:
        return self.masters[0][0]

    @property
    def configured(self) -> tuple[str, ...]:
        """The ids of all configured keys, the active one first. While replicas get a new key one after another,
        each of them must accept what another one has made under any of these."""
        return tuple(kid for kid, _ in self.masters)

    @property
    def first(self) -> str:
        """The id of the key for names that must never change, however often the key does."""
        return self.eldest or self.masters[-1][0]

    def first_of(self, app_id: str, label: str) -> str:
        """Returns the id of the key for names of one application that must never change. An application
        keeps that of the deployment in which its first names were made."""
        for key in self.imported:
            if key.app_id == app_id and label in key.purposes:
                return key.id
        return self.first

    def derive(self, label: str, kid: str | None = None) -> bytes:
        """Returns 32 bytes for one purpose. Raises KeyError for an id that is not configured."""
        return _derive(dict(self.masters)[kid or self.active], label)

    def recognition(self, kid: str | None = None) -> bytes:
        """Returns the recognition key of a master key. Raises KeyError for an unknown id."""
        kid = kid or self.active
        for id, key in self.retired:
            if id == kid:
                return key
        return self.derive(RECOGNITION, kid)

    def digest(self, label: str, value: bytes, kid: str | None = None) -> bytes:
        """Returns a keyed digest (HMAC-SHA-256) of a value for one purpose. Raises KeyError for an unknown
        key."""
        return hmac.digest(self.purpose_key(label, kid), value, "sha256")

    def has_made(self, label: str, value: bytes, digest: bytes, size: int = KEY_BYTES) -> bool:
        """Returns whether a digest, shortened to `size` bytes, was made for a purpose under one of the configured
        keys."""
        return any(
            hmac.compare_digest(digest, self.digest(label, value, kid)[:size])
            for kid in self.configured
        )

    def purpose_key(self, label: str, kid: str | None = None) -> bytes:
        """Returns the key that makes digests of one purpose. Raises KeyError for an unknown id, and for an
        imported key that is not for this purpose."""
        try:
            return _derive(self.recognition(kid), label)
        except KeyError:
            for key in self.imported:
                if key.id == kid and label in key.purposes:
                    return key.purposes[label]
            raise

    def hash(self, label: str, secret: str, kid: str | None = None) -> str:
        """Returns the text that is stored in place of a secret: `<key id>.<base64url HMAC-SHA-256>`. Raises
        KeyError for an unknown key."""
        digest = self.digest(label, secret.encode(), kid)
        return f"{kid or self.active}.{b64url(digest)}"

    def hashes(self, label: str, secret: str) -> list[str]:
        """Returns all texts under which a secret may be stored: one for each key that is or was in
        use."""
        known = [kid for kid, _ in (*self.masters, *self.retired)]
        known += [key.id for key in self.imported if label in key.purposes]
        return [self.hash(label, secret, kid) for kid in dict.fromkeys(known)]


@lru_cache(maxsize=256)
def _derive(master: bytes, label: str) -> bytes:
    return derived_key(master, label)


def derived_key(secret: bytes, label: str) -> bytes:
    """Returns 32 bytes for one purpose (HKDF-SHA-256, RFC 5869)."""
    info = b"aero2/" + label.encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def key_id(hash: str) -> str:
    """Returns the id of the key under which `Keys.hash` has made a text."""
    return hash.partition(".")[0]


def b64url(data: bytes) -> str:
    """Returns base64url text without padding."""
    return b2a_base64(data, newline=False).translate(URL_SAFE).rstrip(b"=").decode()


def token(prefix: str = "", size: int = 32) -> str:
    """Returns a new secret of `size` random bytes as base64url text."""
    return prefix + b64url(secrets.token_bytes(size))


def sha256_b64url(value: str) -> str:
    """Returns the SHA-256 digest of a text as base64url."""
    return b64url(hashlib.sha256(value.encode()).digest())
