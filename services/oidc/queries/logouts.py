"""session_clients and logout_deliveries: who has to hear that a session ended."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, many, run


@dataclass(frozen=True, slots=True)
class Told:
    """A client that took part in the session."""

    client_id: str
    sid: str
    user_id: str


async def take_clients(db: Db, *, app_id: str, session_id: str) -> list[Told]:
    """The clients of a session, once: whoever takes them tells them."""
    return await many(
        db,
        Told,
        """
        DELETE FROM session_clients c USING user_sessions s
        WHERE c.app_id = $1 AND c.session_id = $2 AND s.app_id = $1 AND s.id = $2
        RETURNING c.client_id, c.sid, s.user_id
        """,
        app_id,
        session_id,
    )


async def ended_sessions(db: Db, *, app_id: str, user_id: str) -> list[str]:
    """Sessions of the user that ended, with clients that have not heard of it. One that was
    replaced by another goes on in that one."""
    return [
        row["id"]
        for row in await db.fetch(
            """
            SELECT s.id FROM user_sessions s
            WHERE s.app_id = $1 AND s.user_id = $2 AND s.revoked_at IS NOT NULL
              AND EXISTS (SELECT FROM session_clients c
                          WHERE c.app_id = $1 AND c.session_id = s.id)
              AND NOT EXISTS (SELECT FROM user_sessions n
                              WHERE n.app_id = $1 AND n.user_id = $2 AND n.previous_id = s.id)
            """,
            app_id,
            user_id,
        )
    ]


async def ended_session(db: Db, *, app_id: str, session_id: str) -> bool:
    """The same of one session."""
    return bool(
        await db.fetchval(
            """
            SELECT EXISTS (
                SELECT FROM user_sessions s
                WHERE s.app_id = $1 AND s.id = $2 AND s.revoked_at IS NOT NULL
                  AND EXISTS (SELECT FROM session_clients c
                              WHERE c.app_id = $1 AND c.session_id = s.id)
                  AND NOT EXISTS (SELECT FROM user_sessions n
                      WHERE n.app_id = $1 AND n.user_id = s.user_id AND n.previous_id = s.id))
            """,
            app_id,
            session_id,
        )
    )


async def enqueue(
    db: Db,
    *,
    app_id: str,
    id: str,
    client_id: str,
    user_id: str,
    subject: str,
    sid: str,
    uri: str,
) -> None:
    await run(
        db,
        """
        INSERT INTO logout_deliveries (app_id, id, client_id, user_id, subject, sid, uri)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        app_id,
        id,
        client_id,
        user_id,
        subject,
        sid,
        uri,
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    app_id: str
    id: str
    client_id: str
    subject: str | None
    sid: str | None
    uri: str
    attempts: int


async def due(db: Db, *, limit: int) -> list[Delivery]:
    """Take what is due; it comes up again later unless it is done by then."""
    return await many(
        db,
        Delivery,
        """
        -- any-tenant: one worker delivers for all applications, as aero2_platform
        UPDATE logout_deliveries d
        SET attempts = d.attempts + 1,
            next_attempt_at = now() + make_interval(secs => 5 * 4 ^ least(d.attempts, 6)
                                                            * (0.8 + random() * 0.4))
        FROM (
            SELECT app_id, id FROM logout_deliveries
            WHERE delivered_at IS NULL AND next_attempt_at <= now()
            ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) taken
        WHERE d.app_id = taken.app_id AND d.id = taken.id
        RETURNING d.app_id, d.id, d.client_id, d.subject, d.sid, d.uri, d.attempts
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


async def untold(db: Db, *, limit: int) -> list[Untold]:
    """Sessions that ended while nobody listened."""
    return await many(
        db,
        Untold,
        """
        -- any-tenant: the sweep looks at all applications, as aero2_platform
        SELECT DISTINCT c.app_id, c.session_id FROM session_clients c
        JOIN user_sessions s ON s.app_id = c.app_id AND s.id = c.session_id
        WHERE s.revoked_at < now() - interval '20 seconds' AND s.revoked_at > now() - interval '1 day'
          AND NOT EXISTS (SELECT FROM user_sessions n
                          WHERE n.app_id = s.app_id AND n.previous_id = s.id)
        LIMIT $1
        """,
        limit,
    )


async def follow(db: Db, *, app_id: str, family_id: str) -> bool:
    """A session replaced by another (a new id at a change of privilege) takes its grants along.
    True where the grant has a living session again."""
    return (
        await run(
            db,
            """
        WITH RECURSIVE line AS (
            SELECT f.session_id AS id, f.user_id, f.session_id AS origin, f.client_id, 0 AS depth
            FROM token_families f
            WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL AND NOT f.offline
          UNION ALL
            SELECT s.id, l.user_id, l.origin, l.client_id, l.depth + 1 FROM line l
            JOIN user_sessions s ON s.app_id = $1 AND s.user_id = l.user_id AND s.previous_id = l.id
            WHERE l.depth < 50
        ), living AS (
            SELECT l.id, l.origin, l.client_id FROM line l
            JOIN user_sessions s ON s.app_id = $1 AND s.id = l.id AND s.revoked_at IS NULL
             AND s.expires_at > now() AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())
            WHERE l.depth > 0 ORDER BY l.depth DESC LIMIT 1
        ), moved AS (
            INSERT INTO session_clients (app_id, session_id, client_id, sid)
            SELECT $1, v.id, c.client_id, c.sid FROM living v
            JOIN session_clients c ON c.app_id = $1 AND c.session_id = v.origin
             AND c.client_id = v.client_id
            ON CONFLICT DO NOTHING
        )
        UPDATE token_families f SET session_id = v.id FROM living v
        WHERE f.app_id = $1 AND f.id = $2
        """,
            app_id,
            family_id,
        )
        == 1
    )
