"""authorization_codes: stored in one statement, with all that has to be true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.db import Db, maybe, one, run, value
from common.sql import numbered
from oidc.queries.conditions import LIVE_SESSION
from oidc.queries.token_grants import GRANT_COLUMNS


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    """Whether a code was stored. If not, the other fields say which condition failed."""

    inserted: bool
    session_live: bool
    consented: bool


class NewCode(NamedTuple):
    """A code with everything that it is bound to. `lifetime` is in seconds."""

    app_id: str
    code_hash: str
    client_id: str
    user_id: str
    session_id: str
    sid: str
    redirect_uri: str
    redirect_uri_given: bool
    scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    code_challenge: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    family_id: str
    consent_needed: bool
    request_hash: str | None
    lifetime: float
    issuer: str
    subject: str
    client_epoch: int
    unmet: list[str]
    consent_scopes: list[str]


INSERT: Final = numbered(
    f"""
    WITH live AS (
        SELECT s.expires_at, u.guest OR s.actor_id IS NOT NULL AS online_only FROM users u
        JOIN user_sessions s ON s.app_id = :app_id AND s.user_id = u.id
        WHERE u.app_id = :app_id AND u.id = :user_id AND NOT u.disabled AND s.id = :session_id
          AND {LIVE_SESSION} AND (s.actor_id IS NULL OR NOT :consent_needed)
    ), consented AS (
        SELECT 1 WHERE NOT :consent_needed OR EXISTS (
            SELECT FROM consents c
            WHERE c.app_id = :app_id AND c.user_id = :user_id AND c.client_id = :client_id
              AND c.scopes @> :consent_scopes AND c.resources @> :resource)
    ), answered AS (
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = :app_id AND id_hash = :request_hash AND used_at IS NULL
          AND EXISTS (SELECT FROM live) AND EXISTS (SELECT FROM consented)
        RETURNING 1
    ), inserted AS (
        INSERT INTO authorization_codes (
            app_id, code_hash, client_id, {GRANT_COLUMNS}, redirect_uri, redirect_uri_given,
            code_challenge, code_challenge_method, family_id, expires_at, client_epoch)
        SELECT :app_id, :code_hash, :client_id, :user_id, :session_id, :sid,
               CASE WHEN live.online_only THEN array_remove(:scopes::text[], 'offline_access')
                    ELSE :scopes END, :resource,
               :claims, :nonce, :auth_time, :acr, :amr, :org_id, :redirect_uri,
               :redirect_uri_given, :code_challenge,
               CASE WHEN :code_challenge::text IS NULL THEN NULL ELSE 'S256' END, :family_id,
               now() + make_interval(secs => :lifetime), :client_epoch
        FROM live, consented WHERE :request_hash::text IS NULL OR EXISTS (SELECT FROM answered)
        RETURNING 1
    ), session_client AS (
        INSERT INTO session_clients (app_id, session_id, client_id, issuer, sid, subject,
                                     user_id, expires_at, unmet)
        SELECT :app_id, :session_id, :client_id, :issuer, :sid, :subject, :user_id,
               live.expires_at, :unmet
        FROM inserted, live
        ON CONFLICT DO NOTHING
    )
    SELECT EXISTS (SELECT FROM inserted) AS inserted, EXISTS (SELECT FROM live) AS session_live,
           EXISTS (SELECT FROM consented) AS consented
    """,
    NewCode,
)


async def insert(db: Db, code: NewCode) -> CodeOutcome:
    """Stores a code if its user and session are live and the user has consented.

    A guest, and somebody who acts as a user, get no `offline_access`; the latter get codes for
    first-party clients only.

    The same statement marks the pending request as answered and links the client to the session.
    """
    return await one(db, CodeOutcome, INSERT, *code)


@dataclass(frozen=True, slots=True)
class ReplayedCode:
    """A code that was redeemed before: its token family and user."""

    family_id: str
    user_id: str


async def find_used(
    db: Db, *, app_id: str, code_hashes: list[str], client_id: str
) -> ReplayedCode | None:
    """Finds a code of this client that was redeemed before."""
    return await maybe(
        db,
        ReplayedCode,
        """
        SELECT family_id, user_id FROM authorization_codes
        WHERE app_id = $1 AND code_hash = ANY ($2) AND client_id = $3 AND used_at IS NOT NULL
        """,
        app_id,
        code_hashes,
        client_id,
    )


async def is_redeemable(db: Db, *, app_id: str, code_hash: str) -> bool | None:
    """Returns whether the code is neither used nor expired. Returns None if there is no such code."""
    redeemable: bool | None = await value(
        db,
        """
        SELECT (SELECT used_at IS NULL AND expires_at > now() FROM authorization_codes
                WHERE app_id = $1 AND code_hash = $2)
        """,
        app_id,
        code_hash,
    )
    return redeemable


async def revoke_unused(db: Db, *, app_id: str, client_id: str, user_id: str | None) -> int:
    """Revokes the client's codes that nobody has redeemed: of one user, or of all.

    Returns how many there were.
    """
    return await run(
        db,
        """
        -- whole: codes by age, those of the last minute
        UPDATE authorization_codes SET used_at = now()
        WHERE app_id = $1 AND client_id = $2 AND ($3::uuid IS NULL OR user_id = $3)
          AND used_at IS NULL AND expires_at > now()
        """,
        app_id,
        client_id,
        user_id,
    )
