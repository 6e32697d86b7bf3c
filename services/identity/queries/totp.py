"""Statements on totp_factors. A user has at most one confirmed secret, and one that waits for its first
code."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.contracts.second_factors import TotpFactor
from common.db import Db, maybe, run


@dataclass(frozen=True)
class TotpSecret:
    """A secret that is stored sealed."""

    id: str
    sealed: str = field(repr=False)


async def get_confirmed(db: Db, *, app_id: str, user_id: str) -> TotpSecret | None:
    """Returns the secret that the user's codes are checked with."""
    return await maybe(
        db,
        TotpSecret,
        """
        SELECT id, secret_sealed AS sealed FROM totp_factors
        WHERE app_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL
        """,
        app_id,
        user_id,
    )


async def get_pending(db: Db, *, app_id: str, user_id: str, session_id: str) -> TotpSecret | None:
    """Returns the secret that this session created in the last hour and has not confirmed yet."""
    return await maybe(
        db,
        TotpSecret,
        """
        SELECT id, secret_sealed AS sealed FROM totp_factors
        WHERE app_id = $1 AND user_id = $2 AND session_id = $3 AND confirmed_at IS NULL
          AND created_at > now() - interval '1 hour'
        """,
        app_id,
        user_id,
        session_id,
    )


async def get_entry(db: Db, *, app_id: str, user_id: str) -> TotpFactor | None:
    """Returns the user's authenticator app, as the contracts have it."""
    return await maybe(
        db,
        TotpFactor,
        """
        SELECT confirmed_at AS created_at, last_used_at FROM totp_factors
        WHERE app_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL
        """,
        app_id,
        user_id,
    )


async def insert_pending(
    db: Db, *, app_id: str, id: str, user_id: str, session_id: str, sealed: str
) -> None:
    """Stores a secret that waits for its first code."""
    await run(
        db,
        """
        INSERT INTO totp_factors (app_id, id, user_id, session_id, secret_sealed)
        VALUES ($1, $2, $3, $4, $5)
        """,
        app_id,
        id,
        user_id,
        session_id,
        sealed,
    )


async def delete_pending(db: Db, *, app_id: str, user_id: str) -> int:
    """Deletes the secrets of a user that wait for their first code."""
    return await run(
        db,
        "DELETE FROM totp_factors WHERE app_id = $1 AND user_id = $2 AND confirmed_at IS NULL",
        app_id,
        user_id,
    )


async def delete_confirmed(db: Db, *, app_id: str, user_id: str) -> bool:
    """Deletes the user's authenticator app. Returns False if there is none."""
    return (
        await run(
            db,
            """
            DELETE FROM totp_factors
            WHERE app_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL
            """,
            app_id,
            user_id,
        )
        > 0
    )


async def confirm(db: Db, *, app_id: str, id: str, step: int) -> bool:
    """Confirms a secret by the time step of its first code. Returns False if it is confirmed."""
    return (
        await run(
            db,
            """
            UPDATE totp_factors SET confirmed_at = now(), last_used_at = now(), last_step = $3,
                session_id = NULL
            WHERE app_id = $1 AND id = $2 AND confirmed_at IS NULL
            """,
            app_id,
            id,
            step,
        )
        == 1
    )


async def use_step(db: Db, *, app_id: str, id: str, step: int) -> bool:
    """Consumes a time step. Returns False if its code, or that of a later step, was used before
    (RFC 6238 section 5.2)."""
    return (
        await run(
            db,
            """
            UPDATE totp_factors SET last_step = $3, last_used_at = now()
            WHERE app_id = $1 AND id = $2 AND last_step < $3 AND confirmed_at IS NOT NULL
            """,
            app_id,
            id,
            step,
        )
        == 1
    )
