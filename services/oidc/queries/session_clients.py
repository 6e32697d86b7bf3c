"""session_clients: the clients that have to be told when a session ends.

A session that gets a new id is replaced: `user_sessions.previous_id` of the new one names the old
one. The statements follow this chain, because a replaced session has not ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from common.db import Db, many, run, value
from common.sql import numbered


@dataclass(frozen=True, slots=True)
class SessionClient:
    """A client that was used in a session, and the issuer and identifiers that it knows."""

    client_id: str
    issuer: str
    sid: str
    subject: str | None
    user_id: str | None


class NewSessionClient(NamedTuple):
    """A client of a session, and the requested classes of sign-in that the user did not reach."""

    app_id: str
    session_id: str
    client_id: str
    issuer: str
    sid: str
    subject: str
    user_id: str
    expires_at: datetime
    unmet: list[str]


ADD_UNMET: Final = numbered(
    """
    INSERT INTO session_clients AS c (app_id, session_id, client_id, issuer, sid, subject, user_id,
                                      expires_at, unmet)
    VALUES (:app_id, :session_id, :client_id, :issuer, :sid, :subject, :user_id, :expires_at, :unmet)
    ON CONFLICT (app_id, session_id, client_id, issuer) DO UPDATE
        SET unmet = ARRAY(SELECT DISTINCT unnest(c.unmet || excluded.unmet))
        WHERE NOT c.unmet @> excluded.unmet
    """,
    NewSessionClient,
)


async def add_unmet(db: Db, client: NewSessionClient) -> None:
    """Notes which classes of sign-in the user of a session did not reach for a client."""
    await run(db, ADD_UNMET, *client)


async def delete_of_session(db: Db, *, app_id: str, session_id: str) -> list[SessionClient]:
    """Deletes and returns the clients of a session and of the sessions that it replaced.

    A client is returned once, so only one caller tells it of the end.
    """
    return await many(
        db,
        SessionClient,
        """
        WITH RECURSIVE line AS (
            SELECT $2::uuid AS id
          UNION
            SELECT s.previous_id FROM line l
            CROSS JOIN LATERAL (
                SELECT b.previous_id FROM user_sessions b WHERE b.app_id = $1 AND b.id = l.id
                  AND b.previous_id IS NOT NULL OFFSET 0) s
        )
        DELETE FROM session_clients c USING line l
        WHERE c.app_id = $1 AND c.session_id = l.id
        RETURNING c.client_id, c.issuer, c.sid, c.subject, c.user_id
        """,
        app_id,
        session_id,
    )


async def find_user_of_revoked(db: Db, *, app_id: str, session_id: str) -> str | None:
    """Finds the user of a revoked session. Returns None if it is not revoked."""
    user_id: str | None = await value(
        db,
        """
        SELECT user_id FROM user_sessions
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NOT NULL
        """,
        app_id,
        session_id,
    )
    return user_id


async def list_ended_of_user(db: Db, *, app_id: str, user_id: str) -> list[str]:
    """Lists ended sessions whose clients have not been told: the user's, and those of deleted users.

    A session that was replaced has ended only if its replacement has.
    """
    return [
        row["id"]
        for row in await db.fetch(
            """
            WITH RECURSIVE line AS (
                SELECT c.session_id AS first_id, c.session_id AS id FROM session_clients c
                WHERE c.app_id = $1 AND c.user_id = $2
              UNION
                SELECT l.first_id, n.id FROM line l
                JOIN user_sessions n ON n.app_id = $1 AND n.previous_id = l.id
            )
            SELECT l.first_id AS id FROM line l
            JOIN user_sessions s ON s.app_id = $1 AND s.id = l.id AND s.revoked_at IS NOT NULL
            WHERE NOT EXISTS (
                SELECT FROM user_sessions n WHERE n.app_id = $1 AND n.previous_id = l.id)
          UNION
            SELECT c.session_id FROM session_clients c
            WHERE c.app_id = $1 AND c.user_id IS NULL AND c.subject IS NOT NULL
            """,
            app_id,
            user_id,
        )
    ]


@dataclass(frozen=True, slots=True)
class EndedSessionAnywhere:
    """A session that ended, in any application."""

    app_id: str
    session_id: str


async def list_ended(db: Db, *, within: float, limit: int) -> list[EndedSessionAnywhere]:
    """Lists ended sessions whose clients have not been told, in all applications.

    These are sessions that were revoked in the last `within` seconds, and all of deleted users.
    """
    return await many(
        db,
        EndedSessionAnywhere,
        """
        -- any-tenant: this job works for all applications, as aero2_logout
        WITH RECURSIVE line AS (
            SELECT s.app_id, s.id FROM user_sessions s
            WHERE s.revoked_at < now() - interval '20 seconds'
              AND s.revoked_at > now() - make_interval(secs => $2)
              AND NOT EXISTS (SELECT FROM user_sessions n
                              WHERE n.app_id = s.app_id AND n.previous_id = s.id)
          UNION
            SELECT s.app_id, s.previous_id FROM line l
            JOIN user_sessions s ON s.app_id = l.app_id AND s.id = l.id
            WHERE s.previous_id IS NOT NULL
        )
        SELECT c.app_id, c.session_id FROM line l
        JOIN session_clients c ON c.app_id = l.app_id AND c.session_id = l.id
      UNION
        SELECT c.app_id, c.session_id FROM session_clients c
        WHERE c.user_id IS NULL AND c.subject IS NOT NULL
        LIMIT $1
        """,
        limit,
        within,
    )
