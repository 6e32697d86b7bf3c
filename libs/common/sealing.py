"""Sealing what must be read back: AES-256-GCM under a data key per application.

The data key of an application is wrapped by the deployment's key-encryption key, so deleting the
application's row of `data_keys` shreds everything sealed for it. The sealed text is
`v1.<master key id>.<data key id>.<nonce>.<ciphertext>`; its additional data binds it to
application, table, column and row: moved elsewhere it does not open.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.crypto import Keys, b64url, derived_key
from common.db import Db, many, maybe, run
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


TOKENS: Final = "sealed tokens"
"""The purpose of the keys that are derived from data keys for common/sealed_tokens."""
RELOAD: Final = 30.0
"""Seconds after which unknown key ids make a process read an application's keys again."""

Reader: TypeAlias = Callable[[], AbstractAsyncContextManager[Db]]
"""Opens a connection that is bound to the application."""


@dataclass(frozen=True)
class TokenKeys:
    """The keys of an application for sealed tokens, by the id of the data key. `active` is None if it
    has no data key yet."""

    active: str | None
    by_id: dict[str, bytes] = field(repr=False)
    read_at: float


@dataclass
class Sealer:
    """Seals and opens secrets. Keeps the unwrapped data keys of at most `size` applications in
    memory."""

    keys: Keys
    size: int = 4096
    _known: dict[tuple[str, str], AESGCM] = field(default_factory=dict, repr=False)
    _active: dict[str, str] = field(default_factory=dict, repr=False)
    _token_keys: dict[str, TokenKeys] = field(default_factory=dict, repr=False)

    async def seal(self, db: Db, app_id: str, place: tuple[str, str, str], plain: bytes) -> str:
        """Returns sealed text. `db` is bound to the application; `place` is (table, column, row
        id)."""
        dek, cipher = await self._active_key(db, app_id)
        nonce = secrets.token_bytes(NONCE)
        sealed = cipher.encrypt(nonce, plain, _aad(app_id, place, dek))
        return ".".join(("v1", self.keys.active, dek, b64url(nonce), b64url(sealed)))

    async def open(self, db: Db, app_id: str, place: tuple[str, str, str], text: str) -> bytes:
        """Returns the plain bytes. Raises Unsealable.

        For text that we have stored. Text that clients send belongs into common/sealed_tokens: its key
        ids are not looked up one by one, and whatever is wrong with it has one answer.
        """
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

    async def active_token_key(self, db: Db, app_id: str) -> tuple[str, bytes]:
        """Returns the key that seals tokens, and the id of its data key. `db` is in no transaction
        that may roll back."""
        keys = self._token_keys.get(app_id) or await self._read_token_keys(db, app_id)
        if keys.active is None:
            await self._active_key(db, app_id)
            keys = await self._read_token_keys(db, app_id)
        assert keys.active is not None
        return keys.active, keys.by_id[keys.active]

    async def token_key(self, reader: Reader, app_id: str, id: str) -> bytes | None:
        """Returns the key that belongs to a data key, or None. The id may come from a stranger: however
        many they send, an application's keys are read once in half a minute."""
        keys = self._token_keys.get(app_id)
        if keys is None or (id not in keys.by_id and time.monotonic() - keys.read_at > RELOAD):
            async with reader() as db:
                keys = await self._read_token_keys(db, app_id)
        return keys.by_id.get(id)

    async def _read_token_keys(self, db: Db, app_id: str) -> TokenKeys:
        by_id: dict[str, bytes] = {}
        newest = await _newest(db, app_id=app_id)
        for row in await _all(db, app_id=app_id):
            try:
                key = unwrap(self.keys, data_key_place(app_id, row.id), row.wrapped)
            except Unsealable:  # under a master key that this process does not have yet
                continue
            by_id[row.id] = derived_key(key, TOKENS)
        active = newest.id if newest is not None and newest.id in by_id else None
        if len(self._token_keys) >= self.size:
            self._token_keys.clear()
        self._token_keys[app_id] = TokenKeys(active, by_id, time.monotonic())
        return self._token_keys[app_id]

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
        self._token_keys.pop(app_id, None)
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


async def _all(db: Db, *, app_id: str) -> list[DataKey]:
    return await many(
        db,
        DataKey,
        "SELECT id, wrapped FROM data_keys WHERE app_id = $1 ORDER BY created_at DESC LIMIT 100",
        app_id,
    )


async def _insert(db: Db, *, app_id: str, id: str, wrapped: str) -> None:
    await run(
        db,
        "INSERT INTO data_keys (app_id, id, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        app_id,
        id,
        wrapped,
    )
