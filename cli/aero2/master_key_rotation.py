"""Moves the secrets of a deployment from one master key to another, in its database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from aero2.failures import CommandError
from common.crypto import Keys
from common.imported_keys import ImportedKeyRow, row_of
from common.master_keys import MasterKey, MasterKeyMissing, place, remember
from common.sealing import Unsealable, data_key_place, unwrap, wrap

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

BATCH: Final = 500
"""Data keys of one transaction."""


@dataclass(frozen=True)
class MasterKeyStatus:
    """A master key and what depends on it. `hashes` counts by table."""

    id: str
    state: str
    data_keys: int
    hashes: dict[str, int]


async def status(db: Connection, keys: Keys) -> list[MasterKeyStatus]:
    """Returns every key that is configured, stored or still used, the oldest first."""
    await _must_see_all(db)
    stored = {row.id: row for row in await stored_keys(db)}
    wrapped = await _data_keys(db)
    hashes = await _hashes(db)
    ids = dict.fromkeys([*stored, *(kid for kid, _ in keys.masters), *wrapped])
    return [
        MasterKeyStatus(
            id, _state(keys, id, stored.get(id)), wrapped.get(id, 0), hashes.get(id, {})
        )
        for id in ids
    ]


def _state(keys: Keys, id: str, row: MasterKey | None) -> str:
    if id == keys.active:
        return "active" if row else "active after the next start"
    if row is not None and row.retired_at is not None:
        return "retired"
    return "configured" if id in dict(keys.masters) else "missing"


async def rewrap(db: Connection, keys: Keys) -> int:
    """Wraps everything under the active master key. Returns how many keys were wrapped again.

    Raises CommandError if the services have not started with that key yet: they could not open what
    it wraps.
    """
    await _must_see_all(db)
    rows = await stored_keys(db)
    _check(keys, rows)
    if keys.active not in {row.id for row in rows}:
        raise CommandError(
            f"No service has started with the master key {keys.active} yet. Restart them first."
        )
    wrapped = await _rewrap_master_keys(db, keys, rows) + await _rewrap_imported_keys(db, keys)
    return wrapped + await _rewrap_data_keys(db, keys)


async def retire(db: Connection, keys: Keys, id: str, *, is_required: bool = True) -> None:
    """Records that a key is no longer needed. Raises CommandError if it is, or if the database must know
    the key and does not: a younger cluster may never have had it."""
    await _must_see_all(db)
    if id == keys.active:
        raise CommandError(f"{id} is the active master key. Put a new one before it first.")
    async with db.transaction():
        # A data key that is being made now is counted, or waits until this is over.
        await db.execute("LOCK TABLE data_keys, master_keys IN SHARE ROW EXCLUSIVE MODE")
        rows = await stored_keys(db)
        if id not in {row.id for row in rows} and is_required:
            raise CommandError(f"This database knows no master key {id}.")
        left = (await _data_keys(db)).get(id, 0)
        wrapped = [row.wrapped for row in rows] + [row.wrapped for row in await imported_keys(db)]
        left += sum(text.startswith(f"{id}.") for text in wrapped)
        if left:
            raise CommandError(
                f"{left} keys are wrapped under {id}. Run `aero2 secrets rewrap` first; if they "
                "come back, a service still runs with the former AERO2_MASTER_KEY."
            )
        await db.execute(
            "UPDATE master_keys SET retired_at = coalesce(retired_at, now()) WHERE id = $1", id
        )


async def _must_see_all(db: Connection) -> None:
    """Raises CommandError if row level security hides rows from this role."""
    if await db.fetchval("SELECT row_security_active('data_keys')"):
        raise CommandError(
            "This database role does not see all data keys. Connect as a superuser or as a role "
            "with BYPASSRLS (AERO2_OWNER_DATABASE_URL)."
        )


def _check(keys: Keys, rows: list[MasterKey]) -> None:
    try:
        remember(keys, rows)
    except MasterKeyMissing as error:
        raise CommandError(str(error)) from None


async def stored_keys(db: Connection) -> list[MasterKey]:
    """Returns all master keys of the deployment, the oldest first."""
    rows = await db.fetch("SELECT id, wrapped, audit_key, retired_at FROM master_keys ORDER BY age")
    return [MasterKey(**row) for row in rows]


async def imported_keys(db: Connection) -> list[ImportedKeyRow]:
    """Returns the keys that applications brought from other deployments; none from a database of an older
    version."""
    if not await db.fetchval("SELECT to_regclass('public.imported_keys') IS NOT NULL"):
        return []
    rows = await db.fetch("""
        SELECT app_id::text, id, place, wrapped, audit_key FROM imported_keys ORDER BY app_id, place
    """)
    return [ImportedKeyRow(**row) for row in rows]


async def _data_keys(db: Connection) -> dict[str, int]:
    """Returns how many data keys each master key wraps."""
    rows = await db.fetch(
        "SELECT split_part(wrapped, '.', 1) AS id, count(*) AS n FROM data_keys GROUP BY 1"
    )
    return {row["id"]: row["n"] for row in rows}


async def _hashes(db: Connection) -> dict[str, dict[str, int]]:
    """How many hashes of each table were made under each master key. A keyed hash is
    `<key id>.<digest>`; no other kind of hash has a dot."""
    columns = await db.fetch("""
        SELECT c.relname AS table, a.attname AS column
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attname LIKE '%\\_hash' AND a.atttypid = 'text'::regtype
        ORDER BY 1, 2
    """)
    counted: dict[str, dict[str, int]] = {}
    for table, column in columns:
        rows = await db.fetch(
            f"""
            SELECT split_part("{column}", '.', 1) AS id, count(*) AS n FROM "{table}"
            WHERE "{column}" LIKE '%.%' GROUP BY 1
            """  # noqa: S608 - names from the catalog
        )
        for row in rows:
            of_key = counted.setdefault(row["id"], {})
            of_key[table] = of_key.get(table, 0) + row["n"]
    return counted


async def _rewrap_master_keys(db: Connection, keys: Keys, rows: list[MasterKey]) -> int:
    stale = [row for row in rows if not row.wrapped.startswith(f"{keys.active}.")]
    for row in stale:
        await db.execute(
            "UPDATE master_keys SET wrapped = $2 WHERE id = $1 AND wrapped = $3",
            row.id,
            _rewrapped(keys, place(row.id), row.wrapped),
            row.wrapped,
        )
    return len(stale)


async def _rewrap_imported_keys(db: Connection, keys: Keys) -> int:
    stale = [
        row for row in await imported_keys(db) if not row.wrapped.startswith(f"{keys.active}.")
    ]
    for row in stale:
        await db.execute(
            """
            UPDATE imported_keys SET wrapped = $3
            WHERE app_id = $1::text::uuid AND id = $2 AND wrapped = $4
            """,
            row.app_id,
            row.id,
            _rewrapped(keys, row_of(row.app_id, row.id), row.wrapped),
            row.wrapped,
        )
    return len(stale)


async def _rewrap_data_keys(db: Connection, keys: Keys) -> int:
    count = 0
    while True:
        async with db.transaction():
            rows = await db.fetch(
                """
                SELECT app_id::text AS app_id, id, wrapped FROM data_keys
                WHERE split_part(wrapped, '.', 1) <> $1 LIMIT $2 FOR UPDATE
                """,
                keys.active,
                BATCH,
            )
            await db.executemany(
                """
                UPDATE data_keys SET wrapped = $3, wrapped_at = now()
                WHERE app_id = $1::text::uuid AND id = $2
                """,
                [
                    (
                        row["app_id"],
                        row["id"],
                        _rewrapped(keys, data_key_place(row["app_id"], row["id"]), row["wrapped"]),
                    )
                    for row in rows
                ],
            )
        count += len(rows)
        if len(rows) < BATCH:
            return count


def _rewrapped(keys: Keys, where: bytes, wrapped: str) -> str:
    try:
        return wrap(keys, where, unwrap(keys, where, wrapped))
    except Unsealable as error:
        raise CommandError(f"Nothing of this batch was changed: {error}.") from None
