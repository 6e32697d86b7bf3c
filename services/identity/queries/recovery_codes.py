"""Statements on recovery_codes."""

from __future__ import annotations

from common.db import Db, run, value


async def count_unused(db: Db, *, app_id: str, user_id: str) -> int:
    """Returns how many codes the user has left."""
    number: int = await value(
        db,
        """
        SELECT count(*) FROM recovery_codes
        WHERE app_id = $1 AND user_id = $2 AND used_at IS NULL
        """,
        app_id,
        user_id,
    )
    return number


async def delete_all(db: Db, *, app_id: str, user_id: str) -> int:
    """Deletes the codes of a user, used or not."""
    return await run(
        db, "DELETE FROM recovery_codes WHERE app_id = $1 AND user_id = $2", app_id, user_id
    )


async def insert(db: Db, *, app_id: str, user_id: str, code_hashes: list[str]) -> None:
    """Stores new codes."""
    await run(
        db,
        """
        INSERT INTO recovery_codes (app_id, user_id, code_hash)
        SELECT $1, $2, code_hash FROM unnest($3::text[]) AS code_hash
        """,
        app_id,
        user_id,
        code_hashes,
    )


async def consume(db: Db, *, app_id: str, user_id: str, code_hashes: list[str]) -> bool:
    """Consumes a code. Returns False if the user has no such code, or has used it."""
    return (
        await run(
            db,
            """
            UPDATE recovery_codes SET used_at = now()
            WHERE app_id = $1 AND user_id = $2 AND code_hash = ANY($3::text[])
              AND used_at IS NULL
            """,
            app_id,
            user_id,
            code_hashes,
        )
        == 1
    )
