"""Statements on link_proofs: accounts at providers that wait for their user's proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.db import Db, maybe, run


@dataclass(frozen=True)
class PendingProof:
    """A live proof. `user_id` is the account to prove, or None: the address decides. `payload` says
    what the page shows and where the user continues."""

    id: str
    user_id: str | None
    idp_id: str
    iss: str
    subject: str
    sealed: str = field(repr=False)
    payload: dict[str, Any] = field(repr=False)
    created_at: datetime


@dataclass(frozen=True)
class NewProof:
    """A proof to insert. `ttl` is in seconds."""

    id: str
    token_hash: str = field(repr=False)
    browser_hash: str = field(repr=False)
    user_id: str | None
    idp_id: str
    iss: str
    subject: str
    sealed: str = field(repr=False)
    payload: dict[str, Any] = field(repr=False)
    ttl: int


async def insert(db: Db, *, app_id: str, new: NewProof) -> None:
    """Stores a proof."""
    await run(
        db,
        """
        INSERT INTO link_proofs (app_id, id, token_hash, browser_hash, user_id, idp_id, iss,
            idp_user_id, sealed, payload, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11))
        """,
        app_id,
        new.id,
        new.token_hash,
        new.browser_hash,
        new.user_id,
        new.idp_id,
        new.iss,
        new.subject,
        new.sealed,
        new.payload,
        new.ttl,
    )


async def get(
    db: Db, *, app_id: str, token_hashes: list[str], browser_hashes: list[str]
) -> PendingProof | None:
    """Returns the live proof of a token in its browser."""
    return await maybe(
        db,
        PendingProof,
        """
        SELECT id, user_id, idp_id, iss, idp_user_id AS subject, sealed, payload, created_at
        FROM link_proofs
        WHERE app_id = $1 AND token_hash = ANY($2::text[]) AND browser_hash = ANY($3::text[])
          AND used_at IS NULL AND expires_at > now()
        """,
        app_id,
        token_hashes,
        browser_hashes,
    )


async def consume(
    db: Db, *, app_id: str, token_hashes: list[str], browser_hashes: list[str]
) -> PendingProof | None:
    """Consumes the proof of a token in its browser, in the transaction that connects the account."""
    return await maybe(
        db,
        PendingProof,
        """
        UPDATE link_proofs SET used_at = now()
        WHERE app_id = $1 AND token_hash = ANY($2::text[]) AND browser_hash = ANY($3::text[])
          AND used_at IS NULL AND expires_at > now()
        RETURNING id, user_id, idp_id, iss, idp_user_id AS subject, sealed, payload, created_at
        """,
        app_id,
        token_hashes,
        browser_hashes,
    )


async def end_of_account(db: Db, *, app_id: str, idp_id: str, iss: str, subject: str) -> int:
    """Ends every proof of an account at a provider: it was disconnected."""
    return await run(
        db,
        """
        UPDATE link_proofs SET used_at = now()
        WHERE app_id = $1 AND idp_id = $2 AND iss = $3 AND idp_user_id = $4 AND used_at IS NULL
        """,
        app_id,
        idp_id,
        iss,
        subject,
    )


async def end_of_user(db: Db, *, app_id: str, user_id: str) -> int:
    """Ends every proof that waits for this user."""
    return await run(
        db,
        """
        UPDATE link_proofs SET used_at = now()
        WHERE app_id = $1 AND user_id = $2 AND used_at IS NULL
        """,
        app_id,
        user_id,
    )
