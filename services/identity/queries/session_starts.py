"""Statements that start a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from common.contracts.sessions import Factor
from common.db import Db, maybe
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
    new_device: bool


@dataclass(frozen=True)
class NewSession:
    """A session to insert. `phc` is the hash that the password matched; lifetimes are in seconds."""

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
    device_hash: str | None
    auth_time: datetime | None
    factor: Factor | None
    earlier_factor_times: dict[Factor, int]
    ttl: int
    idle_ttl: int | None
    idle_ttl_remembered: int | None
    phc: str | None = field(repr=False)
    closed_org_ids: list[str]


async def insert(db: Db, *, app_id: str, new: NewSession) -> InsertedSession | None:
    """Starts a session and records the device. Returns None if `phc`, the hash that the password
    matched, is no longer the user's. A session that replaces another keeps its active organization,
    unless that one is in `closed_org_ids`, its absolute limit and whether it is remembered. A session
    that an organization's provider starts has that organization active, if the user is a member. The caller has locked the user's row in an
    earlier statement."""
    return await maybe(
        db,
        InsertedSession,
        """
        WITH before AS (
            SELECT expires_at, active_org_id, remembered FROM user_sessions
            WHERE app_id = $1 AND id = $9 AND user_id = $3 AND kind = 'full'
        ), others AS (
            SELECT count(*) AS number FROM known_devices WHERE app_id = $1 AND user_id = $3
        ), device AS (
            INSERT INTO known_devices (app_id, user_id, device_hash, name)
            SELECT $1, $3, $12::text, $13 WHERE $12 IS NOT NULL
            ON CONFLICT (app_id, user_id, device_hash) DO UPDATE SET last_seen_at = now()
            RETURNING first_seen_at = last_seen_at AS fresh
        ), made AS (
            INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, idp_name, amr,
                remembered, previous_id, ip_address, user_agent, device_name, auth_time, expires_at,
                idle_expires_at, active_org_id, acr, factor_times, idp_org_id)
            SELECT $1, $2, $3, $4, 'full', $5, $6, coalesce((SELECT remembered FROM before), $7),
                $9, $10, $11, $13, coalesce($16, now()),
                coalesce((SELECT expires_at FROM before), now() + make_interval(secs => $14)),
                now() + make_interval(secs =>
                    CASE WHEN coalesce((SELECT remembered FROM before), $7) THEN $18::int ELSE $15::int END),
                coalesce(
                    (SELECT active_org_id FROM before WHERE active_org_id <> ALL ($22::uuid[])),
                    (SELECT org_id FROM organization_members
                     WHERE $9::uuid IS NULL AND app_id = $1 AND org_id = $21::uuid AND user_id = $3)),
                $17,
                $19::jsonb || CASE WHEN $20::text IS NULL THEN '{}'
                    ELSE jsonb_build_object($20, floor(extract(epoch FROM now()))::bigint) END,
                $21
            WHERE $8::text IS NULL
               OR EXISTS (SELECT FROM passwords WHERE app_id = $1 AND user_id = $3 AND phc = $8)
            RETURNING created_at, auth_time, expires_at, idle_expires_at, remembered, active_org_id,
                factor_times
        )
        SELECT m.created_at, m.auth_time, m.expires_at, m.idle_expires_at, m.remembered,
               m.active_org_id, m.factor_times,
               coalesce(d.fresh, false) AND o.number > 0 AS new_device
        FROM made m CROSS JOIN others o LEFT JOIN device d ON true
        """,
        app_id,
        new.id,
        new.user_id,
        new.token_hash,
        new.idp_name,
        new.amr,
        new.remembered,
        new.phc,
        new.previous_id,
        new.ip,
        new.agent,
        new.device_hash,
        new.device_name,
        new.ttl,
        new.idle_ttl,
        new.auth_time,
        new.acr,
        new.idle_ttl_remembered,
        new.earlier_factor_times,
        new.factor,
        new.idp_org_id,
        new.closed_org_ids,
    )


async def get_replaced(db: Db, *, app_id: str, id: str, user_id: str) -> EarlierSession | None:
    """Returns what a new session takes over from this one, and locks it. Returns None if it has
    ended."""
    return await maybe(
        db,
        EarlierSession,
        f"""
        SELECT {EARLIER_COLUMNS} FROM user_sessions s
        WHERE s.app_id = $1 AND s.id = $2 AND s.user_id = $3 AND {LIVE} AND s.kind = 'full'
        FOR UPDATE
        """,
        app_id,
        id,
        user_id,
    )
