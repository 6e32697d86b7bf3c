"""Rows of application_api_keys."""

from __future__ import annotations

from datetime import datetime

from common import keyset
from common.contracts.api_keys import ApiKey, ApiKeyHolder, KeyType
from common.db import Db, many, maybe, one, run, value


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
    return await one(
        db,
        ApiKey,
        """
        INSERT INTO application_api_keys (app_id, id, key_type, key_prefix, key_hash, name,
                                          created_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING id, key_type, key_prefix, name, created_by, last_used_at, expires_at, rotated_to,
                  created_at
        """,
        app_id,
        id,
        key_type,
        key_prefix,
        key_hash,
        name,
        created_by,
        expires_at,
    )


async def any_of(db: Db, *, app_id: str) -> bool:
    return bool(
        await value(
            db, "SELECT EXISTS (SELECT FROM application_api_keys WHERE app_id = $1)", app_id
        )
    )


async def holder(db: Db, *, key_prefix: str, key_hashes: list[str]) -> ApiKeyHolder | None:
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


async def used(db: Db, *, ids: list[str], times: list[datetime]) -> None:
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


async def live(
    db: Db, *, app_id: str, after: tuple[str | None, str | None], limit: int
) -> list[ApiKey]:
    return await many(
        db,
        ApiKey,
        """
        SELECT id, key_type, key_prefix, name, created_by, last_used_at, expires_at, rotated_to,
               created_at
        FROM application_api_keys
        WHERE app_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
          AND (created_at, id) > ($2::timestamptz, $3::uuid)
        ORDER BY created_at, id LIMIT $4
        """,
        app_id,
        *keyset.forward(*after),
        limit,
    )


async def count(db: Db, *, app_id: str) -> int:
    """Live keys."""
    return int(
        await value(
            db,
            """
            SELECT count(*) FROM application_api_keys
            WHERE app_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            """,
            app_id,
        )
    )


async def locked(db: Db, *, app_id: str, id: str) -> ApiKey | None:
    """A live key, held until the transaction ends."""
    return await maybe(
        db,
        ApiKey,
        """
        SELECT id, key_type, key_prefix, name, created_by, last_used_at, expires_at, rotated_to,
               created_at
        FROM application_api_keys
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > now())
        FOR UPDATE
        """,
        app_id,
        id,
    )


async def revoke(db: Db, *, app_id: str, id: str) -> bool:
    """False where there is no such live key."""
    return (
        await run(
            db,
            """
            UPDATE application_api_keys SET revoked_at = now()
            WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > now())
            """,
            app_id,
            id,
        )
        == 1
    )


async def succeeded(db: Db, *, app_id: str, id: str, by: str, ends: datetime) -> None:
    """The key ends at `ends`, or earlier where it would have ended anyway."""
    await run(
        db,
        """
        UPDATE application_api_keys SET rotated_to = $3, expires_at = least(expires_at, $4)
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        by,
        ends,
    )
