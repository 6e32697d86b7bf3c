"""Statements on half sessions: sign-ins that a second factor is missing for. Five wrong codes end one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common.contracts.sessions import Factor, HalfKind
from common.db import Db, maybe, run, value
from identity.authentication_result import EarlierSession

HALF_COLUMNS: Final = """s.id, s.token_hash, s.user_id, s.kind, s.acr, s.amr, s.idp_name, s.idp_org_id,
               s.remembered, s.auth_time, s.factor_times, s.factor_epoch, s.pending, s.expires_at"""
"""Of a half session `s`: the columns of `HalfSession`."""
LIVE_HALF: Final = """s.kind <> 'full' AND s.revoked_at IS NULL AND s.expires_at > now()"""
"""Whether `s` is a half session that has not ended."""


@dataclass(frozen=True)
class HalfSession(EarlierSession):
    """A half session. `pending` is what the sign-in has found out so far."""

    id: str
    token_hash: str
    user_id: str
    kind: HalfKind
    factor_epoch: int
    pending: dict[str, Any] = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class NewHalfSession:
    """A half session to insert. `ttl` is in seconds."""

    id: str
    user_id: str
    token_hash: str
    kind: HalfKind
    idp_name: str | None
    idp_org_id: str | None
    acr: str
    amr: list[str]
    factor: Factor
    factor_time: int | None
    factor_epoch: int
    remembered: bool
    ip: str | None
    agent: str | None
    device_name: str | None
    ttl: int
    pending: dict[str, Any] = field(repr=False)


async def insert(db: Db, *, app_id: str, new: NewHalfSession) -> HalfSession | None:
    """Starts a half session. Returns None if there was a session with this token."""
    return await maybe(
        db,
        HalfSession,
        f"""
        INSERT INTO user_sessions AS s (app_id, id, user_id, token_hash, kind, idp_name, acr, amr,
            factor_times, factor_epoch, remembered, ip_address, user_agent, device_name, expires_at,
            pending, idp_org_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
            jsonb_build_object($9::text,
                coalesce($17::bigint, floor(extract(epoch FROM now()))::bigint)), $10, $11, $12, $13,
            $14, now() + make_interval(secs => $15), $16, $18)
        ON CONFLICT (token_hash, app_id) DO NOTHING
        RETURNING {HALF_COLUMNS}
        """,
        app_id,
        new.id,
        new.user_id,
        new.token_hash,
        new.kind,
        new.idp_name,
        new.acr,
        new.amr,
        new.factor,
        new.factor_epoch,
        new.remembered,
        new.ip,
        new.agent,
        new.device_name,
        new.ttl,
        new.pending,
        new.factor_time,
        new.idp_org_id,
    )


async def get(db: Db, *, app_id: str, token_hashes: list[str]) -> HalfSession | None:
    """Returns the live half session of a token, while its user can still sign in with it."""
    return await maybe(
        db,
        HalfSession,
        f"""
        SELECT {HALF_COLUMNS}
        FROM user_sessions s
        JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND {LIVE_HALF}
          AND s.attempts < 5 AND NOT u.disabled AND u.factor_epoch = s.factor_epoch
        """,
        app_id,
        token_hashes,
    )


async def count_try(db: Db, *, app_id: str, id: str) -> bool:
    """Counts a try before the code is checked. Returns False if there are none left."""
    return (
        await run(
            db,
            f"""
            UPDATE user_sessions s SET attempts = attempts + 1
            WHERE s.app_id = $1 AND s.id = $2 AND {LIVE_HALF} AND s.attempts < 5
            """,
            app_id,
            id,
        )
        == 1
    )


async def consume(db: Db, *, app_id: str, id: str, user_id: str) -> HalfSession | None:
    """Ends a half session, because a session takes its place. Returns None if it has ended already,
    or if the user's factors have changed since. The caller has locked the user's row."""
    return await maybe(
        db,
        HalfSession,
        f"""
        UPDATE user_sessions s SET revoked_at = now(), revoked_reason = 'completed'
        FROM users u
        WHERE s.app_id = $1 AND s.id = $2 AND s.user_id = $3 AND {LIVE_HALF}
          AND u.app_id = $1 AND u.id = $3 AND u.factor_epoch = s.factor_epoch
        RETURNING {HALF_COLUMNS}
        """,
        app_id,
        id,
        user_id,
    )


async def cancel(db: Db, *, app_id: str, token_hashes: list[str]) -> None:
    """Ends the half session of a token, if there is one."""
    await run(
        db,
        f"""
        UPDATE user_sessions s SET revoked_at = now(), revoked_reason = 'cancelled'
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND {LIVE_HALF}
        """,
        app_id,
        token_hashes,
    )


async def completed_lately(db: Db, *, app_id: str, token_hashes: list[str]) -> bool | None:
    """Returns whether the session is remembered that took the place of this half session in the last
    minute, or None if none did."""
    remembered: bool | None = await value(
        db,
        """
        SELECT s.remembered FROM user_sessions s
        WHERE s.app_id = $1 AND s.token_hash = ANY($2::text[]) AND s.kind <> 'full'
          AND s.revoked_reason = 'completed' AND s.revoked_at > now() - interval '1 minute'
        """,
        app_id,
        token_hashes,
    )
    return remembered
