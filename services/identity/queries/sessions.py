"""Statements on user_sessions and known_devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common import keyset
from common.address_keys import address_key
from common.contracts.sessions import Session, SessionEntry
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class LiveSession:
    """A live session, with the times that decide when its last activity is written again."""

    id: str
    user_id: str
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    locale: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    active_org_id: str | None
    created_at: datetime
    expires_at: datetime
    idle_expires_at: datetime | None
    remembered: bool
    last_active_at: datetime

    def session(self) -> Session:
        """Returns the session as the contracts have it."""
        return Session(**{name: getattr(self, name) for name in Session.model_fields})


@dataclass(frozen=True)
class SessionWithToken(LiveSession):
    """A session found by its token. `recent`: it is live and started within the last minute."""

    recent: bool


@dataclass(frozen=True)
class InsertedSession:
    created_at: datetime
    auth_time: datetime
    expires_at: datetime
    idle_expires_at: datetime | None
    remembered: bool
    active_org_id: str | None
    new_device: bool


async def get_live(db: Db, *, app_id: str, token_hashes: list[str]) -> LiveSession | None:
    """Returns the session of a cookie, if it, its user and both its limits are still valid."""
    return await maybe(
        db,
        LiveSession,
        """
        SELECT s.id, s.user_id, u.email, u.email_verified, u.name, u.picture, u.locale,
               s.auth_time, s.acr, s.amr, s.active_org_id, s.created_at, s.expires_at,
               s.idle_expires_at, s.remembered, s.last_active_at
        FROM user_sessions s
        JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND s.revoked_at IS NULL
          AND s.kind = 'full' AND s.expires_at > now()
          AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now()) AND NOT u.disabled
        """,
        app_id,
        token_hashes,
    )


async def get_by_token(db: Db, *, app_id: str, token_hashes: list[str]) -> SessionWithToken | None:
    """Returns the session of a token, live or not."""
    return await maybe(
        db,
        SessionWithToken,
        """
        SELECT s.id, s.user_id, u.email, u.email_verified, u.name, u.picture, u.locale,
               s.auth_time, s.acr, s.amr, s.active_org_id, s.created_at, s.expires_at,
               s.idle_expires_at, s.remembered, s.last_active_at,
               s.revoked_at IS NULL AND s.kind = 'full' AND s.expires_at > now()
               AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())
               AND s.created_at > now() - interval '1 minute' AS recent
        FROM user_sessions s
        JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[])
        """,
        app_id,
        token_hashes,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    user_id: str,
    token_hash: str,
    idp_name: str | None,
    acr: str,
    amr: list[str],
    remembered: bool,
    previous_id: str | None,
    ip: str | None,
    agent: str | None,
    device_name: str | None,
    device_hash: str | None,
    auth_time: datetime | None,
    ttl: int,
    idle_ttl: int | None,
    idle_ttl_remembered: int | None,
    phc: str | None,
) -> InsertedSession | None:
    """Starts a session and records the device. Returns None if `phc`, the hash that the password
    matched, is no longer the user's. A session that replaces another keeps its active organization,
    its absolute limit and whether it is remembered. The caller has locked the user's row in an
    earlier statement."""
    return await maybe(
        db,
        InsertedSession,
        """
        WITH before AS (
            SELECT expires_at, active_org_id, remembered FROM user_sessions
            WHERE app_id = $1 AND id = $9 AND user_id = $3
        ), others AS (
            SELECT count(*) AS number FROM known_devices WHERE app_id = $1 AND user_id = $3
        ), device AS (
            INSERT INTO known_devices (app_id, user_id, device_hash, name)
            SELECT $1, $3, $12::text, $13 WHERE $12 IS NOT NULL
            ON CONFLICT (app_id, user_id, device_hash) DO UPDATE SET last_seen_at = now()
            RETURNING first_seen_at = last_seen_at AS fresh
        ), made AS (
            INSERT INTO user_sessions (app_id, id, user_id, token_hash, idp_name, amr, remembered,
                previous_id, ip_address, user_agent, device_name, auth_time, expires_at,
                idle_expires_at, active_org_id, acr)
            SELECT $1, $2, $3, $4, $5, $6, coalesce((SELECT remembered FROM before), $7),
                $9, $10, $11, $13, coalesce($16, now()),
                coalesce((SELECT expires_at FROM before), now() + make_interval(secs => $14)),
                now() + make_interval(secs =>
                    CASE WHEN coalesce((SELECT remembered FROM before), $7) THEN $18::int ELSE $15::int END),
                (SELECT active_org_id FROM before), $17
            WHERE $8::text IS NULL
               OR EXISTS (SELECT FROM passwords WHERE app_id = $1 AND user_id = $3 AND phc = $8)
            RETURNING created_at, auth_time, expires_at, idle_expires_at, remembered, active_org_id
        )
        SELECT m.created_at, m.auth_time, m.expires_at, m.idle_expires_at, m.remembered,
               m.active_org_id,
               coalesce(d.fresh, false) AND o.number > 0 AS new_device
        FROM made m CROSS JOIN others o LEFT JOIN device d ON true
        """,
        app_id,
        id,
        user_id,
        token_hash,
        idp_name,
        amr,
        remembered,
        phc,
        previous_id,
        ip,
        agent,
        device_hash,
        device_name,
        ttl,
        idle_ttl,
        auth_time,
        acr,
        idle_ttl_remembered,
    )


async def touch(db: Db, *, app_id: str, ids: list[str]) -> int:
    """Writes the last activity and moves the idle limit, for sessions that are still live."""
    return await run(
        db,
        """
        UPDATE user_sessions
        SET idle_expires_at = idle_expires_at + (now() - last_active_at), last_active_at = now()
        WHERE app_id = $1 AND id = ANY($2::uuid[]) AND revoked_at IS NULL AND expires_at > now()
          AND (idle_expires_at IS NULL OR idle_expires_at > now())
        """,
        app_id,
        ids,
    )


async def set_idle_limit(db: Db, *, app_id: str, id: str, idle_ttl: int) -> datetime | None:
    """Gives a session another idle limit. Returns its new end, or None if the session has ended."""
    idle_expires_at: datetime | None = await value(
        db,
        """
        UPDATE user_sessions SET idle_expires_at = last_active_at + make_interval(secs => $3)
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
        RETURNING idle_expires_at
        """,
        app_id,
        id,
        idle_ttl,
    )
    return idle_expires_at


async def list_of_user(
    db: Db,
    *,
    app_id: str,
    user_id: str,
    current: str | None,
    limit: int,
    before: str | None = None,
    before_id: str | None = None,
) -> list[SessionEntry]:
    """Returns live sessions of a user, the newest first."""
    return await many(
        db,
        SessionEntry,
        """
        SELECT id, idp_name, device_name, place, ip_address, user_agent, amr, created_at,
               expires_at, last_active_at, id IS NOT DISTINCT FROM $3::uuid AS is_current
        FROM user_sessions
        WHERE app_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > now()
          AND (idle_expires_at IS NULL OR idle_expires_at > now()) AND kind = 'full'
          AND (created_at, id) < ($5::timestamptz, $6::uuid)
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,
        app_id,
        user_id,
        current,
        limit,
        *keyset.backward(before, before_id),
    )


@dataclass(frozen=True)
class EndedSession:
    id: str
    user_id: str


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
        RETURNING id, user_id
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
        RETURNING id, user_id
        """,
        app_id,
        token_hashes,
    )


async def set_successor(db: Db, *, app_id: str, id: str, successor: str) -> bool:
    """Records that a newer session of the same user replaces this one. Returns False if it cannot:
    it belongs to another user, is older, has ended, or replaced a session already."""
    return (
        await run(
            db,
            """
        UPDATE user_sessions n SET previous_id = o.id
        FROM user_sessions o
        WHERE n.app_id = $1 AND n.id = $3 AND n.previous_id IS NULL AND n.revoked_at IS NULL
          AND o.app_id = $1 AND o.id = $2 AND o.user_id = n.user_id AND o.created_at <= n.created_at
          AND o.id <> n.id
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
        RETURNING id, user_id
        """,
        app_id,
        user_id,
        spare,
        reason,
    )


async def activate_organization(db: Db, *, app_id: str, id: str, org_id: str | None) -> str | None:
    """Sets the active organization. Returns the session's user, or None. The foreign key refuses an
    organization that the user is not a member of."""
    user_id: str | None = await value(
        db,
        """
        UPDATE user_sessions SET active_org_id = $3
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING user_id
        """,
        app_id,
        id,
        org_id,
    )
    return user_id


@dataclass(frozen=True)
class ReplacedSession:
    """The facts that a session takes over from the one it replaces."""

    acr: str | None
    amr: list[str]
    idp_name: str | None
    remembered: bool
    auth_time: datetime


async def get_replaced(db: Db, *, app_id: str, id: str, user_id: str) -> ReplacedSession | None:
    """Returns what a new session takes over from this one, and locks it. Returns None if it has
    ended."""
    return await maybe(
        db,
        ReplacedSession,
        """
        SELECT acr, amr, idp_name, remembered, auth_time FROM user_sessions
        WHERE app_id = $1 AND id = $2 AND user_id = $3 AND revoked_at IS NULL
          AND expires_at > now() AND (idle_expires_at IS NULL OR idle_expires_at > now())
        FOR UPDATE
        """,
        app_id,
        id,
        user_id,
    )


async def proven_at(db: Db, *, app_id: str, id: str, user_id: str) -> datetime | None:
    """Returns when the user last proved who they are in this session."""
    auth_time: datetime | None = await value(
        db,
        """
        SELECT auth_time FROM user_sessions
        WHERE app_id = $1 AND id = $2 AND user_id = $3 AND revoked_at IS NULL
        """,
        app_id,
        id,
        user_id,
    )
    return auth_time


@dataclass(frozen=True)
class Device:
    name: str | None
    first_seen_at: datetime
    last_seen_at: datetime


async def knows_browser(db: Db, *, app_id: str, email: str, device_hashes: list[str]) -> bool:
    """Returns whether the user of this address has signed in from this browser before."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM users u
            JOIN known_devices d ON d.app_id = u.app_id AND d.user_id = u.id
            WHERE u.app_id = $1 AND u.email_normalized = $2 AND d.device_hash = ANY($3::text[])
            LIMIT 1
            """,
            app_id,
            address_key(email),
            device_hashes,
        )
    )


async def list_devices(db: Db, *, app_id: str, user_id: str) -> list[Device]:
    """Returns the devices that the user has signed in from, the latest first."""
    return await many(
        db,
        Device,
        """
        SELECT name, first_seen_at, last_seen_at FROM known_devices
        WHERE app_id = $1 AND user_id = $2 ORDER BY last_seen_at DESC LIMIT 200
        """,
        app_id,
        user_id,
    )
