"""oauth_client_secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, one, run


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A client secret as it is listed: its last four characters, never the secret."""

    id: str
    hint: str | None
    expires_at: datetime | None
    created_at: datetime


async def list_(db: Db, *, app_id: str, client_id: str) -> list[SecretRow]:
    """Lists the client's secrets that have not expired, the newest first."""
    return await many(
        db,
        SecretRow,
        """
        SELECT id, secret_hint AS hint, expires_at, created_at FROM oauth_client_secrets
        WHERE app_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > now())
        ORDER BY created_at DESC, id DESC
        """,
        app_id,
        client_id,
    )


async def insert(
    db: Db, *, app_id: str, id: str, client_id: str, hash: str, hint: str, sealed: str | None
) -> SecretRow:
    """Stores a secret's hash. `sealed` is the encrypted secret if assertions are checked with it."""
    return await one(
        db,
        SecretRow,
        """
        INSERT INTO oauth_client_secrets (app_id, id, client_id, secret_hash, secret_hint,
                                          secret_sealed)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING id, secret_hint AS hint, expires_at, created_at
        """,
        app_id,
        id,
        client_id,
        hash,
        hint,
        sealed,
    )


async def expire_others(
    db: Db, *, app_id: str, client_id: str, kept_id: str, overlap: float
) -> int:
    """Lets all secrets but one expire in `overlap` seconds, unless they expire sooner.

    Returns how many there were.
    """
    return await run(
        db,
        """
        UPDATE oauth_client_secrets
        SET expires_at = least(expires_at, now() + make_interval(secs => $4))
        WHERE app_id = $1 AND client_id = $2 AND id <> $3
        """,
        app_id,
        client_id,
        kept_id,
        overlap,
    )


async def delete(db: Db, *, app_id: str, client_id: str, id: str) -> bool:
    """Deletes a secret. Returns False if the client has no such secret."""
    return (
        await run(
            db,
            "DELETE FROM oauth_client_secrets WHERE app_id = $1 AND client_id = $2 AND id = $3",
            app_id,
            client_id,
            id,
        )
        == 1
    )


async def delete_all(db: Db, *, app_id: str, client_id: str) -> list[str]:
    """Deletes all secrets of a client. Returns their ids."""
    rows = await db.fetch(
        "DELETE FROM oauth_client_secrets WHERE app_id = $1 AND client_id = $2 RETURNING id::text",
        app_id,
        client_id,
    )
    return [row["id"] for row in rows]
