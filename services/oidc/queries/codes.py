"""authorization_codes: made in one statement, taken in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.audit import Entry
from common.db import Db, maybe, one, run, value


@dataclass(frozen=True, slots=True)
class Granted:
    """What a code or refresh token stood for, and its user as he is now."""

    family_id: str
    user_id: str
    session_id: str | None
    sid: str | None
    scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    org_role: str | None
    user_epoch: int
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """Whether a code was made, and if not, what was missing."""

    made: bool
    live: bool
    consented: bool
    pending: bool


@dataclass(frozen=True, slots=True)
class NewCode:
    code_hash: str
    client_id: str
    user_id: str
    session_id: str
    sid: str
    issuer: str
    subject: str
    redirect_uri: str
    redirect_uri_given: bool
    scopes: list[str]
    consent_scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    code_challenge: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    family_id: str
    lifetime: float
    client_epoch: int
    unmet: list[str]
    consent_needed: bool
    request_hash: str | None


async def insert(db: Db, *, app_id: str, code: NewCode) -> Made:
    """A code, if its user and session live and he consented; the pending request is used up with
    it, and the session remembers the client: one statement."""
    return await one(
        db,
        Made,
        """
        WITH live AS (
            SELECT s.expires_at FROM users u JOIN user_sessions s ON s.app_id = $1 AND s.user_id = u.id
            WHERE u.app_id = $1 AND u.id = $4 AND NOT u.disabled AND s.id = $5
              AND s.kind = 'full' AND s.revoked_at IS NULL AND s.expires_at > now()
              AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())
        ), consented AS (
            SELECT 1 WHERE NOT $19 OR EXISTS (
                SELECT FROM consents c WHERE c.app_id = $1 AND c.user_id = $4 AND c.client_id = $3
                  AND c.scopes @> $26 AND c.resources @> $10)
        ), pending AS (
            UPDATE authorization_requests SET used_at = now()
            WHERE app_id = $1 AND id_hash = $20 AND used_at IS NULL
              AND EXISTS (SELECT FROM live) AND EXISTS (SELECT FROM consented)
            RETURNING 1
        ), made AS (
            INSERT INTO authorization_codes (
                app_id, code_hash, client_id, user_id, session_id, sid, redirect_uri,
                redirect_uri_given, scopes, resource, claims, nonce, code_challenge,
                code_challenge_method, auth_time, acr, amr, org_id, family_id, expires_at,
                client_epoch)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                   CASE WHEN $13::text IS NULL THEN NULL ELSE 'S256' END, $14, $15, $16, $17, $18,
                   now() + make_interval(secs => $21), $24
            FROM live, consented WHERE $20::text IS NULL OR EXISTS (SELECT FROM pending)
            RETURNING 1
        ), seen AS (
            INSERT INTO session_clients (app_id, session_id, client_id, issuer, sid, subject,
                                         user_id, expires_at, unmet)
            SELECT $1, $5, $3, $22, $6, $23, $4, live.expires_at, $25 FROM made, live
            ON CONFLICT DO NOTHING
        )
        SELECT EXISTS (SELECT FROM made) AS made, EXISTS (SELECT FROM live) AS live,
               EXISTS (SELECT FROM consented) AS consented, EXISTS (SELECT FROM pending) AS pending
        """,
        app_id,
        code.code_hash,
        code.client_id,
        code.user_id,
        code.session_id,
        code.sid,
        code.redirect_uri,
        code.redirect_uri_given,
        code.scopes,
        code.resource,
        code.claims,
        code.nonce,
        code.code_challenge,
        code.auth_time,
        code.acr,
        code.amr,
        code.org_id,
        code.family_id,
        code.consent_needed,
        code.request_hash,
        code.lifetime,
        code.issuer,
        code.subject,
        code.client_epoch,
        code.unmet,
        code.consent_scopes,
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the code: `redirect_uri_fits` and `challenge_fits` are None where there was
    no code to take, `family_id` where the tokens were not made."""

    redirect_uri_fits: bool | None
    challenge_fits: bool | None
    family_id: str | None
    user_id: str | None
    session_id: str | None
    sid: str | None
    scopes: list[str] | None
    resource: list[str] | None
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime | None
    acr: str | None
    amr: list[str] | None
    org_id: str | None
    org_role: str | None
    user_epoch: int | None
    email: str | None
    email_verified: bool | None
    name: str | None
    picture: str | None
    issued_at: datetime | None


async def exchange(
    db: Db,
    *,
    app_id: str,
    code_hashes: list[str],
    client_id: str,
    client_epoch: int,
    redirect_uri: str | None,
    challenge: str | None,
    refresh_hash: str | None,
    refresh_lifetime: float,
    max_lifetime: float,
    entry: Entry,
) -> Taken:
    """Take the code, whatever comes of it; where it fits, begin its family of tokens."""
    return await one(
        db,
        Taken,
        """
        WITH taken AS (
            UPDATE authorization_codes SET used_at = now()
            WHERE app_id = $1 AND code_hash = ANY ($2) AND client_id = $3
              AND used_at IS NULL AND expires_at > now() AND client_epoch = $19
            RETURNING user_id, session_id, sid, scopes, resource, claims, nonce, auth_time, acr,
                amr, org_id, family_id,
                (CASE WHEN $4::text IS NULL THEN NOT redirect_uri_given
                      ELSE redirect_uri = $4 END) AS redirect_uri_fits,
                code_challenge IS NOT DISTINCT FROM $5 AS challenge_fits
        ), fitting AS (
            SELECT t.*, u.epoch AS user_epoch, u.email, u.email_verified, u.name, u.picture,
                   m.role_id AS org_role
            FROM taken t
            JOIN users u ON u.app_id = $1 AND u.id = t.user_id AND NOT u.disabled
            JOIN user_sessions s ON s.app_id = $1 AND s.id = t.session_id
             AND s.revoked_at IS NULL AND s.expires_at > now()
             AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())
            LEFT JOIN organization_members m
              ON m.app_id = $1 AND m.org_id = t.org_id AND m.user_id = t.user_id
            WHERE t.redirect_uri_fits AND t.challenge_fits
        ), family AS (
            INSERT INTO token_families (app_id, id, client_id, user_id, session_id, offline,
                                        absolute_expires_at, client_epoch)
            SELECT $1, family_id, $3, user_id, session_id, 'offline_access' = ANY (scopes),
                   now() + make_interval(secs => $8), $19
            FROM fitting
        ), refresh AS (
            INSERT INTO refresh_tokens (app_id, token_hash, family_id, client_id, user_id,
                session_id, sid, scopes, resource, claims, nonce, auth_time, acr, amr, org_id,
                user_epoch, expires_at, absolute_expires_at)
            SELECT $1, $6, family_id, $3, user_id, session_id, sid, scopes, resource, claims,
                   nonce, auth_time, acr, amr, org_id, user_epoch,
                   now() + make_interval(secs => $7), now() + make_interval(secs => $8)
            FROM fitting WHERE $6::text IS NOT NULL
        ), logged AS (
            INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
                actor_kind, actor_id, session_id, org_id, ip_address, user_agent, created_at, trace)
            SELECT $1, $9, user_id, $10, $11::jsonb || jsonb_build_object('scopes', scopes), $12,
                   $13, $14, session_id, org_id, $15, $16, $17, $20 FROM fitting
        ), queued AS (
            INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
            SELECT $1, $9, $10, convert_to(($18::jsonb || jsonb_build_object(
                'user_id', user_id, 'session_id', session_id, 'org_id', org_id,
                'event_data', $11::jsonb || jsonb_build_object('scopes', scopes)))::text, 'UTF8')
            FROM fitting
        )
        SELECT t.redirect_uri_fits, t.challenge_fits, f.family_id, f.user_id, f.session_id, f.sid,
               f.scopes, f.resource, f.claims, f.nonce, f.auth_time, f.acr, f.amr, f.org_id,
               f.org_role, f.user_epoch, f.email, f.email_verified, f.name, f.picture,
               now() AS issued_at
        FROM (SELECT 1) AS always LEFT JOIN taken t ON true LEFT JOIN fitting f ON true
        """,
        app_id,
        code_hashes,
        client_id,
        redirect_uri,
        challenge,
        refresh_hash,
        refresh_lifetime,
        max_lifetime,
        entry.id,
        entry.event_type,
        entry.event_data,
        entry.version,
        entry.actor_kind,
        entry.actor_id,
        entry.ip_address,
        entry.user_agent,
        entry.created_at,
        entry.members(),
        client_epoch,
        entry.trace,
    )


@dataclass(frozen=True, slots=True)
class Replayed:
    family_id: str
    user_id: str


async def used(db: Db, *, app_id: str, code_hashes: list[str], client_id: str) -> Replayed | None:
    """The family that a used code began: it was presented once more."""
    return await maybe(
        db,
        Replayed,
        """
        SELECT family_id, user_id FROM authorization_codes
        WHERE app_id = $1 AND code_hash = ANY ($2) AND client_id = $3 AND used_at IS NOT NULL
        """,
        app_id,
        code_hashes,
        client_id,
    )


async def is_unredeemed(db: Db, *, app_id: str, code_hash: str) -> bool | None:
    """None where there is no such code."""
    unredeemed: bool | None = await value(
        db,
        """
        SELECT (SELECT used_at IS NULL AND expires_at > now() FROM authorization_codes
                WHERE app_id = $1 AND code_hash = $2)
        """,
        app_id,
        code_hash,
    )
    return unredeemed


async def spend(db: Db, *, app_id: str, client_id: str, user_id: str | None) -> int:
    """Codes that nobody redeemed yet are good for nothing any more: one user's, or everybody's."""
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
