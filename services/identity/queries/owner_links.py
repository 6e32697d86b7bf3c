"""Statements on owner links, which are codes without an address."""

from __future__ import annotations

from common.db import Db, run, value


async def set_owner(db: Db, *, app_id: str, id: str, user_id: str) -> None:
    """Records who used the owner link, for as long as that user exists."""
    await run(
        db,
        """
        UPDATE email_verification_codes
        SET user_id = $3, expires_at = now() + interval '36500 days'
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        user_id,
    )


async def is_owner(db: Db, *, app_id: str, user_id: str) -> bool:
    """Returns whether the user used the owner link."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM email_verification_codes
            WHERE app_id = $1 AND user_id = $2 AND type = 'owner_link' AND used_at IS NOT NULL
            """,
            app_id,
            user_id,
        )
    )
