"""Statements on user_sessions and known_devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common import keyset
from common.contracts.sessions import (
    ActorKind,
    Factor,
    SecondFactor,
    Session,
    SessionActor,
    SessionEntry,
)
from common.db import Db, many, maybe, run, value
from identity.queries.sign_in_facts import SECOND_FACTORS_OF_USER

SESSION_COLUMNS: Final = """s.id, s.user_id, u.email, u.email_verified, u.name, u.picture, u.locale,
               u.zoneinfo, u.guest, s.auth_time, s.acr, s.amr, s.factor_times, s.active_org_id, s.created_at,
               s.expires_at, s.idle_expires_at, s.remembered, s.last_active_at, s.actor_id,
               CASE WHEN s.actor_app_id = s.app_id THEN 'user' ELSE 'developer' END AS actor_kind,
               s.actor_session"""
"""Of a session `s` and its user `u`: the columns of `LiveSession`."""
LIVE: Final = """s.revoked_at IS NULL AND s.expires_at > now()
          AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())"""
"""Whether a session `s` has neither ended nor reached one of its limits."""


def actor_of(id: str | None, kind: ActorKind, session_id: str | None) -> SessionActor | None:
    """Returns the actor of a session as the contracts have it."""
    if id is None or session_id is None:
        return None
    return SessionActor(kind=kind, id=id, session_id=session_id)


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
    zoneinfo: str | None
    guest: bool
    auth_time: datetime
    acr: str | None
    amr: list[str]
    factor_times: dict[Factor, int]
    active_org_id: str | None
    created_at: datetime
    expires_at: datetime
    idle_expires_at: datetime | None
    remembered: bool
    last_active_at: datetime
    actor_id: str | None
    actor_kind: ActorKind
    actor_session: str | None
    second_factors: list[SecondFactor]

    @property
    def actor(self) -> SessionActor | None:
        """Returns who acts as the user, if somebody does."""
        return actor_of(self.actor_id, self.actor_kind, self.actor_session)

    def session(self) -> Session:
        """Returns the session as the contracts have it."""
        return Session(**{name: getattr(self, name) for name in Session.model_fields})


@dataclass(frozen=True)
class SessionWithToken(LiveSession):
    """A session found by its token. `recent`: it is live and started within the last minute."""

    token_hash: str
    recent: bool


async def get_live(db: Db, *, app_id: str, token_hashes: list[str]) -> LiveSession | None:
    """Returns the session of a cookie, if it, its user and both its limits are still valid."""
    return await maybe(
        db,
        LiveSession,
        f"""
        SELECT {SESSION_COLUMNS}, {SECOND_FACTORS_OF_USER}
        FROM user_sessions s
        JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND {LIVE}
          AND s.kind = 'full' AND NOT u.disabled
        """,
        app_id,
        token_hashes,
    )


async def get_by_token(db: Db, *, app_id: str, token_hashes: list[str]) -> SessionWithToken | None:
    """Returns the session of a token, live or not."""
    return await maybe(
        db,
        SessionWithToken,
        f"""
        SELECT {SESSION_COLUMNS}, {SECOND_FACTORS_OF_USER}, s.token_hash,
               {LIVE} AND s.created_at > now() - interval '1 minute' AS recent
        FROM user_sessions s
        JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND s.kind = 'full'
        """,
        app_id,
        token_hashes,
    )


async def touch(db: Db, *, app_id: str, ids: list[str]) -> int:
    """Writes the last activity and moves the idle limit, for sessions that are still live."""
    return await run(
        db,
        f"""
        UPDATE user_sessions s
        SET idle_expires_at = idle_expires_at + (now() - last_active_at), last_active_at = now()
        WHERE s.app_id = $1 AND s.id = ANY($2::uuid[]) AND {LIVE} AND s.kind = 'full'
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
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL AND kind = 'full'
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
        f"""
        SELECT id, idp_name, device_name, place, ip_address, user_agent, amr, created_at,
               expires_at, last_active_at, id IS NOT DISTINCT FROM $3::uuid AS is_current,
               actor_id, actor_reason
        FROM user_sessions s
        WHERE s.app_id = $1 AND s.user_id = $2 AND {LIVE} AND s.kind = 'full'
          AND (created_at, id) < ($5::timestamptz, $6::uuid)
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,
        app_id,
        user_id,
        current,
        limit,
        *keyset.backward(before, before_id),
    )


async def activate_organization(db: Db, *, app_id: str, id: str, org_id: str | None) -> str | None:
    """Sets the active organization. Returns the session's user, or None. The foreign key refuses an
    organization that the user is not a member of."""
    user_id: str | None = await value(
        db,
        """
        UPDATE user_sessions SET active_org_id = $3
        WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL AND kind = 'full' RETURNING user_id
        """,
        app_id,
        id,
        org_id,
    )
    return user_id
