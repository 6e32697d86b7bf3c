"""client_assertion_jtis."""

from __future__ import annotations

from datetime import datetime

from common.db import Db, run


async def remember(
    db: Db, *, app_id: str, client_id: str, jti_hash: str, expires_at: datetime
) -> bool:
    """False where it was seen before."""
    return (
        await run(
            db,
            """
        INSERT INTO client_assertion_jtis (app_id, client_id, jti_hash, expires_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
        """,
            app_id,
            client_id,
            jti_hash,
            expires_at,
        )
        == 1
    )
