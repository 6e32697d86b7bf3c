"""token_families: what decides whether the tokens of a grant are accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.contracts.sessions import Factor, SecondFactor
from common.db import Db, maybe, run
from oidc.queries.conditions import LIVE_FAMILY_SESSION, LIVE_SESSION, SECOND_FACTORS_OF_USER


@dataclass(frozen=True, slots=True)
class LiveGrant:
    """A grant whose tokens are accepted. `family_id` and `user_id` are None for a client's own. The
    actor is who acts as the user."""

    family_id: str | None
    client_id: str
    client_epoch: int
    user_id: str | None
    session_id: str | None
    factor_times: dict[Factor, int]
    second_factors: list[SecondFactor]
    guest: bool = False
    actor_id: str | None = None
    actor_app_id: str | None = None


FIND_LIVE: Final = f"""
    SELECT f.id AS family_id, f.client_id, f.client_epoch, f.user_id, f.session_id, u.guest,
           n.actor_id, n.actor_app_id, coalesce(n.factor_times, '{{}}') AS factor_times,
           {SECOND_FACTORS_OF_USER}
    FROM token_families f
    JOIN users u ON u.app_id = $1 AND u.id = f.user_id AND NOT u.disabled AND u.epoch = $4
    LEFT JOIN user_sessions n ON n.app_id = $1 AND n.id = f.session_id
    WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL AND {LIVE_FAMILY_SESSION}
      AND NOT EXISTS (SELECT FROM revoked_tokens t WHERE t.app_id = $1 AND t.jti = $3)
    """


async def find_live(db: Db, *, app_id: str, id: str, jti: str, epoch: int) -> LiveGrant | None:
    """Finds the grant of an access token.

    Returns None if the grant, its session or the token was revoked. So it does if the user is
    disabled or deleted, or has another epoch than the token.
    """
    return await maybe(db, LiveGrant, FIND_LIVE, app_id, id, jti, epoch)


async def revoke(db: Db, *, app_id: str, id: str, reason: str) -> bool:
    """Revokes every token of the family. Returns False if it was revoked before."""
    return (
        await run(
            db,
            """
        UPDATE token_families SET revoked_at = now(), revoked_reason = $3
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
        """,
            app_id,
            id,
            reason,
        )
        == 1
    )


@dataclass(frozen=True, slots=True)
class FamilyOwner:
    """The client of a token family, and its user: None if it was started by a refused code."""

    client_id: str
    user_id: str | None


async def find_owner(db: Db, *, app_id: str, id: str) -> FamilyOwner | None:
    """Finds the client and user of a token family, revoked or not."""
    return await maybe(
        db,
        FamilyOwner,
        "SELECT client_id, user_id FROM token_families WHERE app_id = $1 AND id = $2",
        app_id,
        id,
    )


async def revoke_of_client(
    db: Db, *, app_id: str, client_id: str, user_id: str | None, reason: str
) -> list[str]:
    """Revokes the client's token families: of one user, or of all users. Returns their ids."""
    if user_id is None:
        rows = await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = $3
            WHERE app_id = $1 AND client_id = $2 AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            client_id,
            reason,
        )
    else:
        rows = await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = $4
            WHERE app_id = $1 AND client_id = $2 AND user_id = $3 AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            client_id,
            user_id,
            reason,
        )
    return [row["id"] for row in rows]


async def revoke_online_of_session(db: Db, *, app_id: str, session_id: str) -> list[str]:
    """Revokes the session's token families, except offline ones. Returns their ids."""
    return [
        row["id"]
        for row in await db.fetch(
            """
            UPDATE token_families SET revoked_at = now(), revoked_reason = 'logout'
            WHERE app_id = $1 AND session_id = $2 AND NOT offline AND revoked_at IS NULL
            RETURNING id
            """,
            app_id,
            session_id,
        )
    ]


MOVE_TO_NEXT_SESSION: Final = f"""
    WITH RECURSIVE line AS (
        SELECT f.session_id AS id, f.user_id, 0 AS depth
        FROM token_families f
        WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL AND NOT f.offline
      UNION ALL
        SELECT s.id, l.user_id, l.depth + 1 FROM line l
        JOIN user_sessions s ON s.app_id = $1 AND s.user_id = l.user_id AND s.previous_id = l.id
        WHERE l.depth < 50
    ), live AS (
        SELECT l.id FROM line l
        CROSS JOIN LATERAL (
            SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = l.id
              AND {LIVE_SESSION} OFFSET 0) s
        WHERE l.depth > 0 ORDER BY l.depth DESC LIMIT 1
    )
    UPDATE token_families f SET session_id = v.id FROM live v
    WHERE f.app_id = $1 AND f.id = $2
    """


async def move_to_next_session(db: Db, *, app_id: str, family_id: str) -> bool:
    """Moves a token family to the live session that replaced its own.

    A session is replaced by one with a new id when its privileges change. Returns False if no
    live session replaced it.
    """
    return await run(db, MOVE_TO_NEXT_SESSION, app_id, family_id) == 1
