"""Statements that end sessions."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class EndedSession:
    """`actor_id` is who acted as the user in it."""

    id: str
    user_id: str
    actor_id: str | None


async def revoke(
    db: Db, *, app_id: str, id: str, user_id: str | None, reason: str
) -> EndedSession | None:
    """Ends a session. `user_id` None: of any user. Returns None if it had ended."""
    return await maybe(
        db,
        EndedSession,
        """
        UPDATE user_sessions SET revoked_at = now(), revoked_reason = $4
        WHERE app_id = $1 AND id = $2 AND ($3::uuid IS NULL OR user_id = $3)
          AND revoked_at IS NULL
        RETURNING id, user_id, actor_id
        """,
        app_id,
        id,
        user_id,
        reason,
    )


async def revoke_by_token(db: Db, *, app_id: str, token_hashes: list[str]) -> EndedSession | None:
    """Ends the session of a token. Returns None if it had ended."""
    return await maybe(
        db,
        EndedSession,
        """
        UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'logout'
        WHERE app_id = $1 AND token_hash = ANY($2::text[]) AND revoked_at IS NULL
        RETURNING id, user_id, actor_id
        """,
        app_id,
        token_hashes,
    )


async def set_successor(db: Db, *, app_id: str, id: str, successor: str) -> bool:
    """Records that a newer session of the same user replaces this one. Returns False if it cannot:
    it belongs to another user, is older, has ended, or replaced a session already, or somebody acted as
    the user in one of them."""
    return (
        await run(
            db,
            """
        UPDATE user_sessions n SET previous_id = o.id
        FROM user_sessions o
        WHERE n.app_id = $1 AND n.id = $3 AND n.previous_id IS NULL AND n.revoked_at IS NULL
          AND o.app_id = $1 AND o.id = $2 AND o.user_id = n.user_id AND o.created_at <= n.created_at
          AND o.id <> n.id AND o.actor_id IS NULL AND n.actor_id IS NULL
        """,
            app_id,
            id,
            successor,
        )
        == 1
    )


async def revoke_all(
    db: Db, *, app_id: str, user_id: str, spare: str | None, reason: str
) -> list[EndedSession]:
    """Ends all sessions of a user, except `spare`."""
    return await many(
        db,
        EndedSession,
        """
        UPDATE user_sessions SET revoked_at = now(), revoked_reason = $4
        WHERE app_id = $1 AND user_id = $2 AND revoked_at IS NULL
          AND ($3::uuid IS NULL OR id <> $3)
        RETURNING id, user_id, actor_id
        """,
        app_id,
        user_id,
        spare,
        reason,
    )
