"""client_assertion_jtis: the assertions and request objects that clients have used."""

from __future__ import annotations

from datetime import datetime

from common.db import Db, run, value


async def insert(
    db: Db, *, app_id: str, client_id: str, jti_hash: str, expires_at: datetime
) -> bool:
    """Stores a used assertion. Returns False if it was used before."""
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


async def is_used(db: Db, *, app_id: str, client_id: str, jti_hash: str) -> bool:
    """Returns whether this `jti` was used before."""
    used: bool = await value(
        db,
        """
        SELECT EXISTS (SELECT FROM client_assertion_jtis
                       WHERE app_id = $1 AND client_id = $2 AND jti_hash = $3)
        """,
        app_id,
        client_id,
        jti_hash,
    )
    return used
