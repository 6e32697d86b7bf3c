"""Statements on the challenges of passkey ceremonies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.db import Db, maybe, run


@dataclass(frozen=True)
class PasskeyChallenge:
    """A challenge. `session_id` is the session or half session in which it was made, and `user_id` who
    has to answer it."""

    purpose: str
    rp_id: str
    browser_hash: str | None
    session_id: str | None
    user_id: str | None
    payload: dict[str, Any] = field(repr=False)


async def insert(
    db: Db, *, app_id: str, challenge_hash: str, challenge: PasskeyChallenge, ttl: int
) -> None:
    """Stores a challenge. `ttl` is in seconds."""
    await run(
        db,
        """
        INSERT INTO webauthn_challenges (app_id, challenge_hash, purpose, rp_id, browser_hash,
            session_id, user_id, payload, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))
        """,
        app_id,
        challenge_hash,
        challenge.purpose,
        challenge.rp_id,
        challenge.browser_hash,
        challenge.session_id,
        challenge.user_id,
        challenge.payload,
        ttl,
    )


async def consume(db: Db, *, app_id: str, challenge_hashes: list[str]) -> PasskeyChallenge | None:
    """Uses a challenge up, whatever follows. Returns None if it was used or has expired."""
    return await maybe(
        db,
        PasskeyChallenge,
        """
        UPDATE webauthn_challenges SET used_at = now()
        WHERE app_id = $1 AND challenge_hash = ANY($2::text[]) AND used_at IS NULL
          AND expires_at > now()
        RETURNING purpose, rp_id, browser_hash, session_id, user_id, payload
        """,
        app_id,
        challenge_hashes,
    )
