"""authorization_codes: the content of codes that do not carry it themselves, and what a code needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.db import Db, one, run, value
from common.sql import numbered
from oidc.queries.conditions import LIVE_SESSION


@dataclass(frozen=True, slots=True)
class CodeConditions:
    """Whether a code may be issued, and what of the present state it is bound to.

    The fields from `user_epoch` on are None if the session is not live. `online_only`: the user is a
    guest, or somebody acts as them.
    """

    consented: bool
    revocations: list[str]
    expires_at: datetime
    user_epoch: int | None
    online_only: bool | None
    session_expires_at: datetime | None


class CodeWish(NamedTuple):
    """The user, session and client that a code is wanted for. `lifetime` is in seconds."""

    app_id: str
    user_id: str
    session_id: str
    client_id: str
    consent_needed: bool
    consent_scopes: list[str]
    resource: list[str]
    lifetime: float


FIND_CONDITIONS: Final = numbered(
    f"""
    SELECT NOT :consent_needed OR EXISTS (
               SELECT FROM consents c
               WHERE c.app_id = :app_id AND c.user_id = :user_id AND c.client_id = :client_id
                 AND c.scopes @> :consent_scopes AND c.resources @> :resource) AS consented,
           ARRAY(SELECT g.id FROM revoked_grants g
                 WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id = :user_id
               UNION ALL
                 SELECT g.id FROM revoked_grants g
                 WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id IS NULL
           ) AS revocations,
           now() + make_interval(secs => :lifetime) AS expires_at,
           live.user_epoch, live.online_only, live.session_expires_at
    FROM (SELECT 1) always LEFT JOIN (
        SELECT u.epoch AS user_epoch, u.guest OR s.actor_id IS NOT NULL AS online_only,
               s.expires_at AS session_expires_at
        FROM users u
        JOIN user_sessions s ON s.app_id = :app_id AND s.user_id = u.id
        WHERE u.app_id = :app_id AND u.id = :user_id AND NOT u.disabled AND s.id = :session_id
          AND {LIVE_SESSION} AND (s.actor_id IS NULL OR NOT :consent_needed)
    ) live ON true
    """,
    CodeWish,
)


async def find_conditions(db: Db, wish: CodeWish) -> CodeConditions:
    """Returns whether user and session are live and the user has consented.

    Somebody who acts as a user has a live session for first-party clients only.
    """
    return await one(db, CodeConditions, FIND_CONDITIONS, *wish)


class StoredCode(NamedTuple):
    """A code whose content is stored. `request_hash` is that of the pending request it answers."""

    app_id: str
    id: str
    client_id: str
    user_id: str
    content: dict[str, Any]
    expires_at: datetime
    request_hash: str | None


INSERT: Final = numbered(
    """
    WITH answered AS (
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = :app_id AND id_hash = :request_hash AND used_at IS NULL
        RETURNING 1
    )
    INSERT INTO authorization_codes (app_id, id, client_id, user_id, content, expires_at)
    SELECT :app_id, :id, :client_id, :user_id, :content, :expires_at
    WHERE :request_hash::text IS NULL OR EXISTS (SELECT FROM answered)
    """,
    StoredCode,
)


async def insert(db: Db, code: StoredCode) -> bool:
    """Stores the content of a code, and marks the pending request as answered.

    Returns False, and stores nothing, if that request was answered before.
    """
    return await run(db, INSERT, *code) == 1


class OneCode(NamedTuple):
    """Names what makes one code only: a pushed request, or a request object with a `jti`. `jti_lifetime` is
    in seconds."""

    pushed_hash: str | None
    jti_hash: str | None
    jti_lifetime: float


INSERT_ONCE: Final = numbered(
    """
    WITH answered AS (
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = :app_id AND id_hash = :request_hash AND used_at IS NULL
        RETURNING 1
    ), spent AS (
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = :app_id AND id_hash = :pushed_hash AND used_at IS NULL
        RETURNING 1
    ), noted AS (
        INSERT INTO client_assertion_jtis (app_id, client_id, jti_hash, expires_at)
        SELECT :app_id, :client_id, :jti_hash, now() + make_interval(secs => :jti_lifetime)
        WHERE :jti_hash::text IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING 1
    )
    INSERT INTO authorization_codes (app_id, id, client_id, user_id, content, expires_at)
    SELECT :app_id, :id, :client_id, :user_id, :content, :expires_at
    WHERE (:request_hash::text IS NULL OR EXISTS (SELECT FROM answered))
      AND (:pushed_hash::text IS NULL OR EXISTS (SELECT FROM spent))
      AND (:jti_hash::text IS NULL OR EXISTS (SELECT FROM noted))
    """,
    StoredCode,
    OneCode,
)


async def insert_once(db: Db, code: StoredCode, once: OneCode) -> bool:
    """Does the same as `insert`, and uses up what makes one code only (RFC 9126 section 4).

    Returns False, and stores nothing, if that was used before.
    """
    return await run(db, INSERT_ONCE, *code, *once) == 1


async def find_content(db: Db, *, app_id: str, id: str) -> dict[str, Any] | None:
    """Finds the stored content of a code, redeemed or not."""
    content: dict[str, Any] | None = await value(
        db, "SELECT content FROM authorization_codes WHERE app_id = $1 AND id = $2", app_id, id
    )
    return content


async def is_redeemable(db: Db, *, app_id: str, id: str) -> bool | None:
    """Returns whether the stored code is neither used nor expired. Returns None if there is none."""
    redeemable: bool | None = await value(
        db,
        """
        SELECT (SELECT c.expires_at > now() AND NOT EXISTS (
                           SELECT FROM token_families f WHERE f.app_id = $1 AND f.id = c.id)
                FROM authorization_codes c WHERE c.app_id = $1 AND c.id = $2)
        """,
        app_id,
        id,
    )
    return redeemable
