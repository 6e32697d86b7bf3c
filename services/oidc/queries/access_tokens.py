"""access_tokens: opaque tokens. revoked_tokens: single tokens that were revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.db import Db, maybe, run, value
from common.sql import numbered


class NewOpaqueToken(NamedTuple):
    """An opaque token to store. `family_id` and `user_id` are None for a client's own token."""

    app_id: str
    token_hash: str
    jti: str
    family_id: str | None
    client_id: str
    user_id: str | None
    sid: str | None
    scopes: list[str]
    audience: list[str]
    claims: dict[str, Any]
    user_epoch: int
    expires_at: datetime


INSERT_OPAQUE: Final = numbered(
    """
    INSERT INTO access_tokens (app_id, token_hash, jti, family_id, client_id, user_id, sid,
                               scopes, audience, claims, user_epoch, expires_at)
    VALUES (:app_id, :token_hash, :jti, :family_id, :client_id, :user_id, :sid, :scopes,
            :audience, :claims, :user_epoch, :expires_at)
    """,
    NewOpaqueToken,
)


async def insert_opaque(db: Db, token: NewOpaqueToken) -> None:
    """Stores an opaque token."""
    await run(db, INSERT_OPAQUE, *token)


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """An opaque access token that is neither revoked nor expired. `claims` are those of a JWT."""

    jti: str
    family_id: str | None
    client_id: str
    user_id: str | None
    sid: str | None
    scopes: list[str]
    audience: list[str]
    claims: dict[str, Any]
    user_epoch: int
    expires_at: datetime
    created_at: datetime


async def find_opaque(db: Db, *, app_id: str, token_hashes: list[str]) -> OpaqueToken | None:
    """Finds an opaque token that is neither revoked nor expired."""
    return await maybe(
        db,
        OpaqueToken,
        """
        SELECT jti, family_id, client_id, user_id, sid, scopes, audience, claims, user_epoch,
               expires_at, created_at
        FROM access_tokens
        WHERE app_id = $1 AND token_hash = ANY ($2) AND revoked_at IS NULL AND expires_at > now()
        """,
        app_id,
        token_hashes,
    )


async def is_revoked(db: Db, *, app_id: str, jti: str) -> bool:
    """Returns whether the one token was revoked. Use it for tokens without a family."""
    return bool(
        await value(
            db,
            "SELECT EXISTS (SELECT FROM revoked_tokens WHERE app_id = $1 AND jti = $2)",
            app_id,
            jti,
        )
    )


async def any_revoked(db: Db, *, app_id: str, jtis: list[str]) -> bool:
    """Returns whether one of these tokens was revoked by itself."""
    return bool(
        await value(
            db,
            "SELECT EXISTS (SELECT FROM revoked_tokens WHERE app_id = $1 AND jti = ANY ($2))",
            app_id,
            jtis,
        )
    )


async def revoke(db: Db, *, app_id: str, jti: str, expires_at: datetime) -> None:
    """Revokes one access token by its `jti`. The entry is kept until the token expires."""
    await run(
        db,
        """
        INSERT INTO revoked_tokens (app_id, jti, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        jti,
        expires_at,
    )
