"""session_clients and logout_deliveries: who has to hear that a session ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, run, value


@dataclass(frozen=True, slots=True)
class Told:
    """A client that took part in the session, and how it knows issuer and user."""

    client_id: str
    issuer: str
    sid: str
    subject: str | None
    user_id: str | None


async def take_clients(db: Db, *, app_id: str, session_id: str) -> list[Told]:
    """The clients of a session and of those that it replaced, once: whoever takes them tells
    them."""
    return await many(
        db,
        Told,
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


async def user_of_ended(db: Db, *, app_id: str, session_id: str) -> str | None:
    found: str | None = await value(
        db,
        """
        SELECT user_id FROM user_sessions
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NOT NULL
        """,
        app_id,
        session_id,
    )
    return found


async def ended(db: Db, *, app_id: str, user_id: str) -> list[str]:
    """Sessions with clients that have not heard of their end: those of the user, and those of
    users who are gone. One that was replaced by another goes on in that one."""
    return [
        row["id"]
        for row in await db.fetch(
            """
            WITH RECURSIVE line AS (
                SELECT c.session_id AS begun, c.session_id AS id FROM session_clients c
                WHERE c.app_id = $1 AND c.user_id = $2
              UNION
                SELECT l.begun, n.id FROM line l
                JOIN user_sessions n ON n.app_id = $1 AND n.previous_id = l.id
            )
            SELECT l.begun AS id FROM line l
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


async def enqueue(
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
class Delivery:
    app_id: str
    id: str
    client_id: str
    issuer: str
    subject: str | None
    sid: str | None
    uri: str
    attempts: int
    next_attempt_at: datetime


async def due(db: Db, *, limit: int) -> list[Delivery]:
    """Take what is due; it comes up again later unless it is done by then."""
    return await many(
        db,
        Delivery,
        """
        -- any-tenant: one worker delivers for all applications, as aero2_logout
        UPDATE logout_deliveries d
        SET attempts = d.attempts + 1,
            next_attempt_at = now() + make_interval(secs => 5 * 4 ^ least(d.attempts, 6)
                                                            * (0.8 + random() * 0.4))
        FROM (
            SELECT app_id, id FROM logout_deliveries
            WHERE next_attempt_at <= now()
            ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) taken
        WHERE d.app_id = taken.app_id AND d.id = taken.id
        RETURNING d.app_id, d.id, d.client_id, d.issuer, d.subject, d.sid, d.uri, d.attempts,
            d.next_attempt_at
        """,
        limit,
    )


async def forget(db: Db, *, app_id: str, id: str) -> None:
    """Delivered, or given up."""
    await run(db, "DELETE FROM logout_deliveries WHERE app_id = $1 AND id = $2", app_id, id)


@dataclass(frozen=True, slots=True)
class Untold:
    app_id: str
    session_id: str


async def untold(db: Db, *, within: float, limit: int) -> list[Untold]:
    """Sessions that ended in the last seconds, and sessions of users who were deleted, while nobody
    listened."""
    return await many(
        db,
        Untold,
        """
        -- any-tenant: the sweep looks at all applications, as aero2_logout
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


async def follow(db: Db, *, app_id: str, family_id: str) -> bool:
    """A session replaced by another (a new id at a change of privilege) takes its grants along.
    True where the grant has a living session again."""
    return (
        await run(
            db,
            """
        WITH RECURSIVE line AS (
            SELECT f.session_id AS id, f.user_id, 0 AS depth
            FROM token_families f
            WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL AND NOT f.offline
          UNION ALL
            SELECT s.id, l.user_id, l.depth + 1 FROM line l
            JOIN user_sessions s ON s.app_id = $1 AND s.user_id = l.user_id AND s.previous_id = l.id
            WHERE l.depth < 50
        ), living AS (
            SELECT l.id FROM line l
            CROSS JOIN LATERAL (
                SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = l.id
                  AND s.revoked_at IS NULL AND s.expires_at > now()
                  AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now()) OFFSET 0) s
            WHERE l.depth > 0 ORDER BY l.depth DESC LIMIT 1
        )
        UPDATE token_families f SET session_id = v.id FROM living v
        WHERE f.app_id = $1 AND f.id = $2
        """,
            app_id,
            family_id,
        )
        == 1
    )
