"""logout_deliveries: the queue of logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Db, many, run


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    client_id: str,
    user_id: str | None,
    issuer: str,
    subject: str | None,
    sid: str,
    uri: str,
) -> None:
    """Queues a logout token for a client."""
    await run(
        db,
        """
        INSERT INTO logout_deliveries (app_id, id, client_id, user_id, issuer, subject, sid, uri)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        app_id,
        id,
        client_id,
        user_id,
        issuer,
        subject,
        sid,
        uri,
    )


@dataclass(frozen=True, slots=True)
class LogoutDelivery:
    """A queued logout token. `attempts` counts the present attempt."""

    app_id: str
    id: str
    client_id: str
    issuer: str
    subject: str | None
    sid: str | None
    uri: str
    attempts: int
    next_attempt_at: datetime


async def claim_due(db: Db, *, limit: int) -> list[LogoutDelivery]:
    """Claims deliveries that are due. Each is due again after a growing delay, unless it is deleted."""
    return await many(
        db,
        LogoutDelivery,
        """
        -- any-tenant: this job works for all applications, as aero2_logout
        UPDATE logout_deliveries d
        SET attempts = d.attempts + 1,
            next_attempt_at = now() + make_interval(secs => 5 * 4 ^ least(d.attempts, 6)
                                                            * (0.8 + random() * 0.4))
        FROM (
            SELECT app_id, id FROM logout_deliveries
            WHERE next_attempt_at <= now()
            ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) claimed
        WHERE d.app_id = claimed.app_id AND d.id = claimed.id
        RETURNING d.app_id, d.id, d.client_id, d.issuer, d.subject, d.sid, d.uri, d.attempts,
            d.next_attempt_at
        """,
        limit,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    """Deletes a delivery that succeeded or was given up."""
    await run(db, "DELETE FROM logout_deliveries WHERE app_id = $1 AND id = $2", app_id, id)


async def record_failure(
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
