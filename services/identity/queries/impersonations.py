"""Statements on impersonations: sessions in which somebody acts as the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.db import Db, many, maybe, value
from common.keyset import LOWEST_ID
from identity.queries.sessions import LIVE

PAGE: Final = 200
"""Impersonations; the LIMIT of the page."""


@dataclass(frozen=True)
class ImpersonationKey:
    app_id: str
    id: str


@dataclass(frozen=True)
class ImpersonatedSession:
    """A session in which somebody acts as the user. `expired`: its time is over."""

    id: str
    user_id: str
    actor_id: str
    actor_app_id: str
    actor_session: str
    expired: bool


async def page(db: Db, *, after: ImpersonationKey | None) -> list[ImpersonationKey]:
    """Returns impersonations of all applications that nobody has ended."""
    return await many(
        db,
        ImpersonationKey,
        """
        -- any-tenant: impersonations of every application; each is checked in the context of its own
        SELECT app_id::text, id::text FROM user_sessions
        WHERE actor_id IS NOT NULL AND revoked_at IS NULL AND (app_id, id) > ($1::uuid, $2::uuid)
        ORDER BY app_id, id LIMIT 200
        """,
        after.app_id if after else LOWEST_ID,
        after.id if after else LOWEST_ID,
    )


async def get(db: Db, *, app_id: str, id: str) -> ImpersonatedSession | None:
    """Returns an impersonation that nobody has ended."""
    return await maybe(
        db,
        ImpersonatedSession,
        f"""
        SELECT s.id, s.user_id, s.actor_id, s.actor_app_id, s.actor_session, NOT ({LIVE}) AS expired
        FROM user_sessions s
        WHERE s.app_id = $1 AND s.id = $2 AND s.actor_id IS NOT NULL AND s.revoked_at IS NULL
        """,
        app_id,
        id,
    )


async def is_signed_in(db: Db, *, app_id: str, user_id: str, session_id: str) -> bool:
    """Returns whether this live session is that of the user themselves, who is not disabled."""
    return bool(
        await value(
            db,
            f"""
            SELECT true FROM user_sessions s
            JOIN users u ON u.app_id = $1 AND u.id = s.user_id AND NOT u.disabled
            WHERE s.app_id = $1 AND s.id = $3 AND s.user_id = $2 AND {LIVE}
              AND s.kind = 'full' AND s.actor_id IS NULL
            """,
            app_id,
            user_id,
            session_id,
        )
    )


async def administers_other_team(db: Db, *, app_id: str, user_id: str, actor_id: str) -> bool:
    """Returns whether the user is an admin of an organization that the actor is no admin of."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM organization_members m
                WHERE m.app_id = $1 AND m.user_id = $2 AND m.role_id = 'admin'
                  AND NOT EXISTS (
                      SELECT FROM organization_members a
                      WHERE a.app_id = $1 AND a.org_id = m.org_id AND a.user_id = $3
                        AND a.role_id = 'admin'))
            """,
            app_id,
            user_id,
            actor_id,
        )
    )
