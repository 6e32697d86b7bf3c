"""Statements on support_views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, maybe, value


@dataclass(frozen=True)
class SupportViewRow:
    """A support view that is open."""

    reason: str
    expires_at: datetime


async def put(
    db: Db,
    *,
    app_id: str,
    user_id: str,
    actor_id: str,
    actor_session: str,
    reason: str,
    minutes: int,
) -> datetime:
    """Opens the support view, or opens it again for another reason. Returns when it ends. Raises
    ForeignKeyViolationError if the application has no such user."""
    expires_at: datetime = await value(
        db,
        """
        INSERT INTO support_views AS v
            (app_id, user_id, actor_session, actor_id, reason, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(mins => $6))
        ON CONFLICT (app_id, user_id, actor_session) DO UPDATE SET
            actor_id = excluded.actor_id, reason = excluded.reason,
            expires_at = excluded.expires_at, created_at = now()
        RETURNING v.expires_at
        """,
        app_id,
        user_id,
        actor_session,
        actor_id,
        reason,
        minutes,
    )
    return expires_at


async def get_open(
    db: Db, *, app_id: str, user_id: str, actor_id: str, actor_session: str
) -> SupportViewRow | None:
    """Returns the support view that this operator has opened in this session, unless it has ended."""
    return await maybe(
        db,
        SupportViewRow,
        """
        SELECT reason, expires_at FROM support_views
        WHERE app_id = $1 AND user_id = $2 AND actor_session = $3 AND actor_id = $4
          AND expires_at > now()
        """,
        app_id,
        user_id,
        actor_session,
        actor_id,
    )
