"""initial_access_tokens: the tokens with which clients register themselves (RFC 7591 section 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from common import keyset
from common.contracts.client_registration import InitialAccessToken
from common.db import Db, many, one, run, value

COLUMNS: Final = "id, name, max_clients, clients, expires_at, last_used_at, created_at"
INSERT: Final = f"""
    INSERT INTO initial_access_tokens (app_id, id, name, token_hash, max_clients, expires_at)
    VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
    RETURNING {COLUMNS}
    """


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    name: str,
    token_hash: str,
    max_clients: int | None,
    lifetime: float,
) -> InitialAccessToken:
    """Stores a token. `lifetime` is in seconds."""
    return await one(
        db, InitialAccessToken, INSERT, app_id, id, name, token_hash, max_clients, lifetime
    )


PAGE: Final = f"""
    SELECT {COLUMNS} FROM initial_access_tokens
    WHERE app_id = $1 AND (created_at, id) > ($2::timestamptz, $3::uuid)
    ORDER BY created_at, id LIMIT $4
    """


async def page(
    db: Db, *, app_id: str, after: datetime | None, after_id: str | None, limit: int
) -> list[InitialAccessToken]:
    """Lists tokens by creation time, from the position after `after` and `after_id`."""
    return await many(db, InitialAccessToken, PAGE, app_id, *keyset.forward(after, after_id), limit)


async def delete(db: Db, *, app_id: str, id: str) -> bool:
    """Deletes a token. Returns False if there is none."""
    return (
        await run(db, "DELETE FROM initial_access_tokens WHERE app_id = $1 AND id = $2", app_id, id)
        == 1
    )


async def is_usable(db: Db, *, app_id: str, token_hashes: list[str]) -> bool:
    """Returns whether a client could be registered with this token."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM initial_access_tokens
                WHERE app_id = $1 AND token_hash = ANY ($2) AND expires_at > now()
                  AND (max_clients IS NULL OR clients < max_clients))
            """,
            app_id,
            token_hashes,
        )
    )


async def use(db: Db, *, app_id: str, token_hashes: list[str]) -> str | None:
    """Counts a client that is registered with this token, and returns the token's id. Returns None if it is unknown, has
    expired or was used as often as it may be."""
    id: str | None = await value(
        db,
        """
        UPDATE initial_access_tokens SET clients = clients + 1, last_used_at = now()
        WHERE app_id = $1 AND token_hash = ANY ($2) AND expires_at > now()
          AND (max_clients IS NULL OR clients < max_clients)
        RETURNING id
        """,
        app_id,
        token_hashes,
    )
    return id
