"""Statements that end what an account got before its address was proven."""

from __future__ import annotations

from common.db import Db, run


async def end_credentials(db: Db, *, app_id: str, user_id: str) -> None:
    """Deletes the user's password, passkeys, second factors and devices, and ends their tokens, half
    sessions and passkey ceremonies. The caller has locked the user's row."""
    await run(
        db,
        """
        WITH gone AS (
            DELETE FROM passwords WHERE app_id = $1 AND user_id = $2
        ), keys AS (
            DELETE FROM passkeys WHERE app_id = $1 AND user_id = $2
        ), totp AS (
            DELETE FROM totp_factors WHERE app_id = $1 AND user_id = $2
        ), codes AS (
            DELETE FROM recovery_codes WHERE app_id = $1 AND user_id = $2
        ), trusted AS (
            DELETE FROM trusted_devices WHERE app_id = $1 AND user_id = $2
        ), devices AS (
            DELETE FROM known_devices WHERE app_id = $1 AND user_id = $2
        ), ceremonies AS (
            UPDATE webauthn_challenges SET used_at = now()
            WHERE app_id = $1 AND user_id = $2 AND used_at IS NULL
        )
        UPDATE users SET epoch = epoch + 1, factor_epoch = factor_epoch + 1
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        user_id,
    )
