"""Keys of another deployment, for the applications that came from it (docs/adr/0034).

An application brings the hashes of its sessions, tokens and keys. Each is an HMAC under a key that its
former deployment has derived from a master key for one kind of secret. These derived keys come along, and
neither the master key nor its recognition key: they recognize what was issued, and make nothing new.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from common.crypto import KEY_BYTES, ImportedKey, Keys
from common.db import Db, many
from common.sealing import Unsealable, unwrap, wrap


@dataclass(frozen=True)
class ImportedKeyRow:
    """A row of imported_keys."""

    app_id: str
    id: str
    place: int
    wrapped: str
    audit_key: str


def row_of(app_id: str, id: str) -> bytes:
    """Returns the additional data that binds wrapped keys to their row."""
    return f"imported_keys|{app_id}|{id}".encode()


def wrap_purposes(keys: Keys, app_id: str, id: str, purposes: dict[str, bytes]) -> str:
    """Returns the keys by kind of secret as text that the active master key opens."""
    plain = {purpose: b64encode(key).decode() for purpose, key in purposes.items()}
    return wrap(keys, row_of(app_id, id), orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))


def opened(keys: Keys, rows: Iterable[ImportedKeyRow]) -> tuple[ImportedKey, ...]:
    """Returns the keys of the rows. Raises Unsealable."""
    return tuple(_opened(keys, row) for row in rows)


def _opened(keys: Keys, row: ImportedKeyRow) -> ImportedKey:
    plain = orjson.loads(unwrap(keys, row_of(row.app_id, row.id), row.wrapped))
    purposes = {purpose: b64decode(key) for purpose, key in plain.items()}
    if any(len(key) != KEY_BYTES for key in purposes.values()):
        raise Unsealable(f"the imported key {row.id!r} has another length")
    return ImportedKey(row.app_id, row.id, purposes, row.audit_key)


async def stored(db: Db) -> list[ImportedKeyRow]:
    """Returns the imported keys of all applications, of each the eldest first."""
    return await many(
        db,
        ImportedKeyRow,
        """
        -- any-tenant: a process recognizes the hashes of all applications
        -- by-services: each recognizes what was hashed in another deployment
        SELECT app_id, id, place, wrapped, audit_key FROM imported_keys ORDER BY app_id, place
        """,
    )
