"""The deployment's master keys, as its database remembers them.

Each master key has a row from the first start that it was configured for. The row keeps its
recognition key, wrapped by the active master key. So a key can be removed: hashes
made under it are still recognized, and what it could open was wrapped again before (docs/adr/0009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from common import imported_keys
from common.audit_chain import public_key
from common.crypto import Keys
from common.db import Database, Db, many, run
from common.imported_keys import ImportedKeyRow
from common.sealing import Unsealable, unwrap, wrap


class MasterKeyMissing(Exception):
    """The configured master keys are not those of this database; a sentence for the operator."""


@dataclass(frozen=True)
class MasterKey:
    id: str
    wrapped: str
    audit_key: str
    retired_at: datetime | None


def place(id: str) -> bytes:
    """Returns the additional data that binds a wrapped recognition key to its row."""
    return f"master_keys|{id}".encode()


async def recognize(db: Database, keys: Keys) -> Keys:
    """Returns the configured keys with those that the database remembers. Stores a key that is new.
    Raises MasterKeyMissing."""
    async with db.unbound_transaction() as tx:
        known = {row.id for row in await stored(tx)}
        for kid, _ in reversed(keys.masters):
            if kid not in known:
                wrapped = wrap(keys, place(kid), keys.recognition(kid))
                await insert(tx, id=kid, wrapped=wrapped, audit_key=public_key(keys, kid))
        return with_imported(remember(keys, await stored(tx)), await imported_keys.stored(tx))


def with_imported(keys: Keys, rows: list[ImportedKeyRow]) -> Keys:
    """Returns `keys` with those that applications brought from other deployments. Raises
    MasterKeyMissing."""
    try:
        return replace(keys, imported=imported_keys.opened(keys, rows))
    except Unsealable as error:
        raise MasterKeyMissing(
            f"The keys of an imported application cannot be read: {error}. Add that key to "
            "AERO2_MASTER_KEY again."
        ) from None


def remember(keys: Keys, rows: list[MasterKey]) -> Keys:
    """Returns `keys` with the retired ones of `rows`, which are ordered by age. Raises
    MasterKeyMissing."""
    configured = {kid for kid, _ in keys.masters}
    for row in rows:
        if row.id in configured:
            _same(keys, row)
        elif row.retired_at is None:
            raise MasterKeyMissing(
                f"AERO2_MASTER_KEY lacks the key {row.id!r}, which this database still needs. "
                "Add it again after the others, and take it away with `aero2 secrets rewrap` and "
                "`aero2 secrets retire` (docs/operating.md)."
            )
    retired = [row for row in rows if row.id not in configured]
    return replace(
        keys,
        retired=tuple((row.id, _opened(keys, row)) for row in retired),
        eldest=rows[0].id if rows else "",
        retired_audit_keys=tuple((row.id, row.audit_key) for row in rows),
    )


def _same(keys: Keys, row: MasterKey) -> None:
    """Raises MasterKeyMissing unless the key with this id is the one that the database was made
    with."""
    if public_key(keys, row.id) != row.audit_key:
        raise MasterKeyMissing(
            f"The key {row.id!r} in AERO2_MASTER_KEY is not the one that this database knows by "
            "this id. Restore the right one; a new key needs an id of its own."
        )


def _opened(keys: Keys, row: MasterKey) -> bytes:
    try:
        return unwrap(keys, place(row.id), row.wrapped)
    except Unsealable as error:
        raise MasterKeyMissing(
            f"The recognition key of the retired master key {row.id!r} cannot be read: {error}. "
            "Add that key to AERO2_MASTER_KEY again."
        ) from None


async def stored(db: Db) -> list[MasterKey]:
    """Returns all master keys of the deployment, the oldest first."""
    return await many(
        db,
        MasterKey,
        """
        -- any-tenant: master keys belong to the deployment
        -- by-services: each recognizes what was hashed under a former key
        SELECT id, wrapped, audit_key, retired_at FROM master_keys ORDER BY age
        """,
    )


async def insert(db: Db, *, id: str, wrapped: str, audit_key: str) -> None:
    """Stores a master key. Several processes may store the same key at once."""
    await run(
        db,
        """
        -- any-tenant: master keys belong to the deployment
        -- by-services: each recognizes what was hashed under a former key
        INSERT INTO master_keys (id, wrapped, audit_key) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO NOTHING
        """,
        id,
        wrapped,
        audit_key,
    )
