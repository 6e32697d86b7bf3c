"""oauth_clients: why the last logout token of a client was not delivered."""

from __future__ import annotations

from typing import Any

from common.db import Db, run


async def record_logout_failure(
    db: Db, *, app_id: str, client_id: str, failure: dict[str, Any] | None
) -> None:
    """Stores why the last logout token was not delivered. None clears it after a delivery."""
    await run(
        db,
        """
        UPDATE oauth_clients SET backchannel_logout_failure = $3
        WHERE app_id = $1 AND client_id = $2
          AND backchannel_logout_failure IS DISTINCT FROM $3
        """,
        app_id,
        client_id,
        failure,
    )
