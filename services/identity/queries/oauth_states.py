"""Statements on oauth_state: sign-ins that wait for a provider's response."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from common.db import Db, maybe, run, value

Purpose = Literal["sign_in", "link", "step_up"]


@dataclass(frozen=True)
class NewState:
    """A state to insert. `ttl` is in seconds. `link_user_id` is the user who starts to link an account
    or to confirm a session."""

    state_hash: str = field(repr=False)
    idp_id: str
    purpose: Purpose
    destination: str
    browser_hash: str = field(repr=False)
    session_id: str | None
    link_user_id: str | None
    nonce: str = field(repr=False)
    code_verifier_sealed: str = field(repr=False)
    payload: dict[str, Any] = field(repr=False)
    ttl: int


@dataclass(frozen=True)
class ConsumedState:
    """A state that was valid, and is now used."""

    idp_id: str
    purpose: Purpose
    destination: str
    session_id: str | None
    link_user_id: str | None
    nonce: str = field(repr=False)
    code_verifier_sealed: str = field(repr=False)
    response_sealed: str | None = field(repr=False)
    payload: dict[str, Any] = field(repr=False)
    created_at: datetime


async def insert(db: Db, *, app_id: str, new: NewState) -> None:
    """Stores a state."""
    await run(
        db,
        """
        INSERT INTO oauth_state (app_id, state_hash, idp_id, purpose, redirect_uri, browser_hash,
            session_id, link_user_id, nonce, code_verifier_sealed, payload, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + make_interval(secs => $12))
        """,
        app_id,
        new.state_hash,
        new.idp_id,
        new.purpose,
        new.destination,
        new.browser_hash,
        new.session_id,
        new.link_user_id,
        new.nonce,
        new.code_verifier_sealed,
        new.payload,
        new.ttl,
    )


async def store_response(
    db: Db, *, app_id: str, state_hashes: list[str], idp_id: str, response_sealed: str
) -> bool:
    """Keeps a posted response with its state, once. Returns False if the state is unknown, used or
    expired, belongs to another provider, or has a response already."""
    return (
        await run(
            db,
            """
            UPDATE oauth_state SET response_sealed = $4
            WHERE app_id = $1 AND state_hash = ANY($2::text[]) AND idp_id = $3
              AND used_at IS NULL AND expires_at > now() AND response_sealed IS NULL
            """,
            app_id,
            state_hashes,
            idp_id,
            response_sealed,
        )
        == 1
    )


async def consume(
    db: Db, *, app_id: str, state_hashes: list[str], idp_id: str, browser_hashes: list[str]
) -> ConsumedState | None:
    """Consumes a state: once, at its provider, and in the browser that started the sign-in."""
    return await maybe(
        db,
        ConsumedState,
        """
        UPDATE oauth_state SET used_at = now()
        WHERE app_id = $1 AND state_hash = ANY($2::text[]) AND idp_id = $3
          AND browser_hash = ANY($4::text[]) AND used_at IS NULL AND expires_at > now()
        RETURNING idp_id, purpose, redirect_uri AS destination, session_id, link_user_id, nonce,
            code_verifier_sealed, response_sealed, payload, created_at
        """,
        app_id,
        state_hashes,
        idp_id,
        browser_hashes,
    )


async def refusal(
    db: Db, *, app_id: str, state_hashes: list[str], idp_id: str, browser_hashes: list[str]
) -> str:
    """Returns why `consume` refused a state: `unknown`, `used`, `expired`, `other_provider` or
    `other_browser`."""
    reason: str | None = await value(
        db,
        """
        SELECT CASE WHEN idp_id <> $3 THEN 'other_provider'
            WHEN NOT browser_hash = ANY($4::text[]) THEN 'other_browser'
            WHEN used_at IS NOT NULL THEN 'used' ELSE 'expired' END
        FROM oauth_state WHERE app_id = $1 AND state_hash = ANY($2::text[])
        """,
        app_id,
        state_hashes,
        idp_id,
        browser_hashes,
    )
    return reason or "unknown"


async def end_of_user(db: Db, *, app_id: str, user_id: str) -> int:
    """Ends what the user has started: connecting an account, or confirming a session."""
    return await run(
        db,
        """
        UPDATE oauth_state SET used_at = now()
        WHERE app_id = $1 AND link_user_id = $2 AND used_at IS NULL
        """,
        app_id,
        user_id,
    )
