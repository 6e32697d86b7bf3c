"""Statements that start a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from common.contracts.sessions import ActorKind, Factor
from common.db import Db, maybe
from common.sql import numbered
from identity.authentication_result import EarlierSession
from identity.queries.sessions import LIVE

EARLIER_COLUMNS: Final = (
    "s.acr, s.amr, s.idp_name, s.idp_org_id, s.remembered, s.auth_time, s.factor_times"
)
"""Of a session `s`: the columns of `EarlierSession`."""


@dataclass(frozen=True)
class InsertedSession:
    created_at: datetime
    auth_time: datetime
    expires_at: datetime
    idle_expires_at: datetime | None
    remembered: bool
    active_org_id: str | None
    factor_times: dict[Factor, int]
    actor_id: str | None
    actor_kind: ActorKind
    actor_session: str | None
    new_device: bool


class NewSession(NamedTuple):
    """A session to insert. `phc` is the hash that the password matched; lifetimes are in seconds. An
    organization in `closed_org_ids` is not active in it."""

    app_id: str
    id: str
    user_id: str
    token_hash: str
    idp_name: str | None
    idp_org_id: str | None
    acr: str
    amr: list[str]
    remembered: bool
    previous_id: str | None
    ip: str | None
    agent: str | None
    device_name: str | None
    place: str | None
    device_hash: str | None
    known_device_hashes: list[str]
    auth_time: datetime | None
    factor: Factor | None
    factor_time: int | None
    earlier_factor_times: dict[Factor, int]
    ttl: int
    idle_ttl: int | None
    idle_ttl_remembered: int | None
    actor_id: str | None
    actor_app_id: str | None
    actor_session: str | None
    actor_reason: str | None
    closed_org_ids: list[str]
    phc: str | None

    def __repr__(self) -> str:
        return f"NewSession({self.id})"


INSERT: Final = numbered(
    """
    WITH before AS (
        SELECT expires_at, active_org_id, remembered, actor_id, actor_app_id, actor_session,
            actor_reason
        FROM user_sessions
        WHERE app_id = :app_id AND id = :previous_id AND user_id = :user_id AND kind = 'full'
    ), others AS (
        SELECT count(*) AS number FROM known_devices WHERE app_id = :app_id AND user_id = :user_id
    ), device AS (
        INSERT INTO known_devices (app_id, user_id, device_hash, name)
        SELECT :app_id, :user_id, coalesce(known.device_hash, :device_hash), :device_name
        FROM (SELECT :device_hash::text WHERE :device_hash IS NOT NULL) new (device_hash)
        LEFT JOIN LATERAL (
            SELECT k.device_hash FROM known_devices k
            WHERE k.app_id = :app_id AND k.user_id = :user_id
              AND k.device_hash = ANY (:known_device_hashes::text[])
            LIMIT 1
        ) known ON true
        ON CONFLICT (app_id, user_id, device_hash) DO UPDATE SET last_seen_at = now()
        RETURNING first_seen_at = last_seen_at AS fresh
    ), made AS (
        INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, idp_name, idp_org_id, amr, acr,
            remembered, previous_id, ip_address, user_agent, device_name, place, auth_time, expires_at,
            idle_expires_at, active_org_id, factor_times, actor_id, actor_app_id, actor_session,
            actor_reason)
        SELECT :app_id, :id, :user_id, :token_hash, 'full', :idp_name, :idp_org_id::uuid, :amr, :acr,
            coalesce((SELECT remembered FROM before), :remembered), :previous_id, :ip, :agent,
            :device_name, :place, coalesce(:auth_time, now()),
            coalesce((SELECT expires_at FROM before), now() + make_interval(secs => :ttl)),
            now() + make_interval(secs => CASE
                WHEN coalesce((SELECT remembered FROM before), :remembered)
                THEN :idle_ttl_remembered::int ELSE :idle_ttl::int END),
            coalesce(
                (SELECT active_org_id FROM before WHERE active_org_id <> ALL (:closed_org_ids::uuid[])),
                (SELECT org_id FROM organization_members
                 WHERE :previous_id::uuid IS NULL AND app_id = :app_id AND org_id = :idp_org_id::uuid
                   AND user_id = :user_id)),
            :earlier_factor_times::jsonb || CASE WHEN :factor::text IS NULL THEN '{}'
                ELSE jsonb_build_object(:factor,
                    coalesce(:factor_time::bigint, floor(extract(epoch FROM now()))::bigint)) END,
            coalesce(:actor_id::uuid, (SELECT actor_id FROM before)),
            coalesce(:actor_app_id::uuid, (SELECT actor_app_id FROM before)),
            coalesce(:actor_session::uuid, (SELECT actor_session FROM before)),
            coalesce(:actor_reason::text, (SELECT actor_reason FROM before))
        WHERE :phc::text IS NULL OR EXISTS (
            SELECT FROM passwords WHERE app_id = :app_id AND user_id = :user_id AND phc = :phc)
        RETURNING created_at, auth_time, expires_at, idle_expires_at, remembered, active_org_id,
            factor_times, actor_id, actor_app_id, actor_session
    )
    SELECT m.created_at, m.auth_time, m.expires_at, m.idle_expires_at, m.remembered,
           m.active_org_id, m.factor_times, m.actor_id, m.actor_session,
           CASE WHEN m.actor_app_id = :app_id THEN 'user' ELSE 'developer' END AS actor_kind,
           coalesce(d.fresh, false) AND o.number > 0 AS new_device
    FROM made m CROSS JOIN others o LEFT JOIN device d ON true
    """,
    NewSession,
)


async def insert(db: Db, new: NewSession) -> InsertedSession | None:
    """Starts a session and records the device. Returns None if `phc`, the hash that the password
    matched, is no longer the user's.

    A session that replaces another keeps its active organization, its absolute limit, its actor and
    whether it is remembered. A session that an organization's provider starts has that organization
    active, if the user is a member. The caller has locked the user's row in an earlier statement.
    """
    return await maybe(db, InsertedSession, INSERT, *new)


async def get_replaced(
    db: Db, *, app_id: str, id: str, user_id: str, with_actor: bool
) -> EarlierSession | None:
    """Returns what a new session takes over from this one, and locks it. Returns None if it has
    ended. `with_actor`: also if somebody acts as the user in it."""
    return await maybe(
        db,
        EarlierSession,
        f"""
        SELECT {EARLIER_COLUMNS} FROM user_sessions s
        WHERE s.app_id = $1 AND s.id = $2 AND s.user_id = $3 AND {LIVE} AND s.kind = 'full'
          AND ($4 OR s.actor_id IS NULL)
        FOR UPDATE
        """,
        app_id,
        id,
        user_id,
        with_actor,
    )
