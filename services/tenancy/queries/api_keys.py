"""Reads and writes application_api_keys.

A live key is neither revoked nor expired.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from common import keyset
from common.contracts.api_keys import ApiKey, ApiKeyHolder, KeyType
from common.db import Db, many, maybe, one, run, value

COLUMNS: Final = (
    "id, key_type, key_prefix, name, created_by, last_used_at, expires_at, rotated_to, created_at"
)
LIVE: Final = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"

INSERT: Final = f"""
    INSERT INTO application_api_keys (app_id, id, key_type, key_prefix, key_hash, name,
                                      created_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING {COLUMNS}
    """
PAGE: Final = f"""
    SELECT {COLUMNS} FROM application_api_keys
    WHERE app_id = $1 AND {LIVE} AND (created_at, id) > ($2::timestamptz, $3::uuid)
    ORDER BY created_at, id LIMIT $4
    """
COUNT: Final = f"SELECT count(*) FROM application_api_keys WHERE app_id = $1 AND {LIVE}"
BY_ID_FOR_UPDATE: Final = f"""
    SELECT {COLUMNS} FROM application_api_keys
    WHERE app_id = $1 AND id = $2 AND {LIVE}
    FOR UPDATE
    """
IS_LIVE_SECRET: Final = f"""
    SELECT EXISTS (SELECT FROM application_api_keys
                   WHERE app_id = $1 AND id = $2 AND key_type = 'secret' AND {LIVE})
    """
REVOKE: Final = f"""
    UPDATE application_api_keys SET revoked_at = now()
    WHERE app_id = $1 AND id = $2 AND {LIVE}
    """


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    key_type: KeyType,
    key_prefix: str,
    key_hash: str,
    name: str | None,
    created_by: str | None,
    expires_at: datetime | None,
) -> ApiKey:
    """Adds a key, of which only the prefix and a keyed hash are stored."""
    return await one(
        db,
        ApiKey,
        INSERT,
        app_id,
        id,
        key_type,
        key_prefix,
        key_hash,
        name,
        created_by,
        expires_at,
    )


async def page(
    db: Db, *, app_id: str, after: tuple[str | None, str | None], limit: int
) -> list[ApiKey]:
    """Returns the live keys after (created_at, id), the oldest first."""
    return await many(db, ApiKey, PAGE, app_id, *keyset.forward(*after), limit)


async def count(db: Db, *, app_id: str) -> int:
    """Returns how many live keys the application has."""
    return int(await value(db, COUNT, app_id))


async def exists(db: Db, *, app_id: str) -> bool:
    """Returns whether the application has any key, live or not."""
    return bool(
        await value(
            db, "SELECT EXISTS (SELECT FROM application_api_keys WHERE app_id = $1)", app_id
        )
    )


async def by_id_for_update(db: Db, *, app_id: str, id: str) -> ApiKey | None:
    """Returns the live key, locked until the transaction ends, or None."""
    return await maybe(db, ApiKey, BY_ID_FOR_UPDATE, app_id, id)


async def is_live_secret(db: Db, *, app_id: str, id: str) -> bool:
    """Returns whether the application has this secret key, and it is neither revoked nor expired."""
    return bool(await value(db, IS_LIVE_SECRET, app_id, id))


async def by_hash(db: Db, *, key_prefix: str, key_hashes: list[str]) -> ApiKeyHolder | None:
    """Returns the application of the live key with this prefix and one of these hashes, or None.

    The application must be active.
    """
    return await maybe(
        db,
        ApiKeyHolder,
        """
        -- any-tenant: the key alone finds the application
        SELECT k.id AS key_id, k.app_id, k.key_type, k.expires_at
        FROM application_api_keys k
        JOIN applications a ON a.id = k.app_id AND a.state = 'active'
        WHERE k.key_hash = ANY($2::text[]) AND k.key_prefix = $1
          AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
        """,
        key_prefix,
        key_hashes,
    )


async def set_last_used(db: Db, *, ids: list[str], times: list[datetime]) -> None:
    """Stores when each of these keys was last used; a later time stays."""
    await run(
        db,
        """
        -- any-tenant: one batch for the keys of all applications, as aero2_upkeep
        UPDATE application_api_keys k SET last_used_at = greatest(k.last_used_at, u.at)
        FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
        WHERE k.id = u.id
        """,
        ids,
        times,
    )


async def revoke(db: Db, *, app_id: str, id: str) -> bool:
    """Revokes the key. Returns False if there is no such live key."""
    return await run(db, REVOKE, app_id, id) == 1


async def set_successor(db: Db, *, app_id: str, id: str, successor_id: str, ends: datetime) -> None:
    """Names the key's successor. The key expires at `ends`, or earlier if it would have anyway."""
    await run(
        db,
        """
        UPDATE application_api_keys SET rotated_to = $3, expires_at = least(expires_at, $4)
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        successor_id,
        ends,
    )
