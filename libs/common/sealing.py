"""Sealing what must be read back: AES-256-GCM under a data key per application.

The data key of an application is wrapped by the deployment's key-encryption key, so deleting the
application's row of `data_keys` shreds everything sealed for it. The sealed text is
`v1.<master key id>.<data key id>.<nonce>.<ciphertext>`; its additional data binds it to
application, table, column and row: moved elsewhere it does not open.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.crypto import Keys, b64url
from common.db import Db, maybe, run
from common.ids import new_id

NONCE: Final = 12
"""Bytes; random 96 bits (NIST SP 800-38D section 8.2.2)."""


class Unsealable(Exception):
    """The text was not sealed by this deployment for this column and row, or its key was
    deleted."""


@dataclass(frozen=True)
class DataKey:
    id: str
    wrapped: str


@dataclass
class Sealer:
    """Seals and opens secrets. Keeps the unwrapped data keys of at most `size` applications in
    memory."""

    keys: Keys
    size: int = 4096
    _known: dict[tuple[str, str], AESGCM] = field(default_factory=dict, repr=False)
    _active: dict[str, str] = field(default_factory=dict, repr=False)

    async def seal(self, db: Db, app_id: str, place: tuple[str, str, str], plain: bytes) -> str:
        """Returns sealed text. `db` is bound to the application; `place` is (table, column, row
        id)."""
        dek, cipher = await self._active_key(db, app_id)
        nonce = secrets.token_bytes(NONCE)
        sealed = cipher.encrypt(nonce, plain, _aad(app_id, place, dek))
        return ".".join(("v1", self.keys.active, dek, b64url(nonce), b64url(sealed)))

    async def open(self, db: Db, app_id: str, place: tuple[str, str, str], text: str) -> bytes:
        """Returns the plain bytes. Raises Unsealable."""
        try:
            version, _, dek, nonce, sealed = text.split(".")
        except ValueError:
            raise Unsealable("malformed") from None
        if version != "v1":
            raise Unsealable(f"unknown version {version}")
        cipher = await self._key(db, app_id, dek)
        try:
            return cipher.decrypt(unb64(nonce), unb64(sealed), _aad(app_id, place, dek))
        except InvalidTag:
            raise Unsealable("not sealed for this place") from None

    async def _active_key(self, db: Db, app_id: str) -> tuple[str, AESGCM]:
        dek = self._active.get(app_id)
        if dek is None:
            row = await _newest(db, app_id=app_id)
            if row is None:
                key_id = new_id()
                wrapped = self._wrap(app_id, key_id, AESGCM.generate_key(256))
                await _insert(db, app_id=app_id, id=key_id, wrapped=wrapped)
                row = await _newest(db, app_id=app_id)
                # The key may still roll back with the caller's transaction: do not remember it.
                assert row is not None
                return row.id, self._unwrap(app_id, row)
            self._remember(app_id, row)
            dek = row.id
        return dek, await self._key(db, app_id, dek)

    async def _key(self, db: Db, app_id: str, dek: str) -> AESGCM:
        cipher = self._known.get((app_id, dek))
        if cipher is None:
            row = await _by_id(db, app_id=app_id, id=dek)
            if row is None:
                raise Unsealable("the data key is gone")
            cipher = self._unwrap(app_id, row)
        return cipher

    def _remember(self, app_id: str, row: DataKey) -> None:
        if len(self._known) >= self.size:
            self._known.clear()
            self._active.clear()
        self._known[app_id, row.id] = self._unwrap(app_id, row)
        self._active[app_id] = row.id

    def _wrap(self, app_id: str, dek: str, key: bytes) -> str:
        return wrap(self.keys, data_key_place(app_id, dek), key)

    def _unwrap(self, app_id: str, row: DataKey) -> AESGCM:
        return AESGCM(unwrap(self.keys, data_key_place(app_id, row.id), row.wrapped))

    def forget(self, app_id: str) -> None:
        """Forgets the keys of an application that is gone or whose key was replaced."""
        self._active.pop(app_id, None)
        for place in [place for place in self._known if place[0] == app_id]:
            del self._known[place]


def data_key_place(app_id: str, id: str) -> bytes:
    """Returns the additional data that binds a wrapped data key to its row."""
    return f"data_keys|{app_id}|{id}".encode()


def wrap(keys: Keys, place: bytes, key: bytes) -> str:
    """Returns `<master key id>.<nonce>.<ciphertext>`, under the active master key."""
    nonce = secrets.token_bytes(NONCE)
    sealed = AESGCM(keys.derive("kek")).encrypt(nonce, key, place)
    return ".".join((keys.active, b64url(nonce), b64url(sealed)))


def unwrap(keys: Keys, place: bytes, wrapped: str) -> bytes:
    """Returns the wrapped key. Raises Unsealable, naming the master key."""
    kek, nonce, sealed = wrapped.split(".")
    try:
        cipher = AESGCM(keys.derive("kek", kek))
    except KeyError:
        raise Unsealable(f"master key {kek!r} is not configured") from None
    try:
        return cipher.decrypt(unb64(nonce), unb64(sealed), place)
    except InvalidTag:
        raise Unsealable(f"master key {kek!r} is not the one that wrapped it") from None


def _aad(app_id: str, place: tuple[str, str, str], dek: str) -> bytes:
    return "|".join((app_id, *place, dek)).encode()


def unb64(text: str) -> bytes:
    """Returns the bytes of base64url text without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _newest(db: Db, *, app_id: str) -> DataKey | None:
    return await maybe(
        db,
        DataKey,
        """
        SELECT id, wrapped FROM data_keys WHERE app_id = $1 AND retired_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT 1
        """,
        app_id,
    )


async def _by_id(db: Db, *, app_id: str, id: str) -> DataKey | None:
    return await maybe(
        db, DataKey, "SELECT id, wrapped FROM data_keys WHERE app_id = $1 AND id = $2", app_id, id
    )


async def _insert(db: Db, *, app_id: str, id: str, wrapped: str) -> None:
    await run(
        db,
        "INSERT INTO data_keys (app_id, id, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        app_id,
        id,
        wrapped,
    )
