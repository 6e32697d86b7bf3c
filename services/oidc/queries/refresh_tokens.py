"""refresh_tokens: rotated in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, maybe, run
from oidc.queries.codes import Granted


async def rotate(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    child_hash: str,
    lifetime: float,
) -> Granted | None:
    """Take the token and give birth to its child; None where it is not to be had. Nothing that
    could end it is asked beforehand: family, user and session are joined in."""
    return await maybe(
        db,
        Granted,
        """
        WITH taken AS (
            UPDATE refresh_tokens r SET used_at = now(), rotated_at = now()
            FROM token_families f, users u
            WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
              AND r.used_at IS NULL AND r.revoked_at IS NULL
              AND r.expires_at > now() AND r.absolute_expires_at > now()
              AND f.app_id = $1 AND f.id = r.family_id AND f.revoked_at IS NULL
              AND f.client_epoch = $6
              AND u.app_id = $1 AND u.id = r.user_id AND NOT u.disabled AND u.epoch = r.user_epoch
              AND (f.offline OR EXISTS (
                  SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = f.session_id
                    AND s.revoked_at IS NULL AND s.expires_at > now()
                    AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())))
            RETURNING r.token_hash, r.family_id, r.generation, r.user_id, r.session_id, r.sid,
                r.scopes, r.resource, r.claims, r.nonce, r.auth_time, r.acr, r.amr, r.org_id,
                r.user_epoch, r.absolute_expires_at, u.email, u.email_verified, u.name, u.picture
        ), child AS (
            INSERT INTO refresh_tokens (app_id, token_hash, family_id, parent_hash, generation,
                client_id, user_id, session_id, sid, scopes, resource, claims, nonce, auth_time,
                acr, amr, org_id, user_epoch, expires_at, absolute_expires_at)
            SELECT $1, $4, family_id, token_hash, generation + 1, $3, user_id, session_id, sid,
                   scopes, resource, claims, nonce, auth_time, acr, amr, org_id, user_epoch,
                   least(now() + make_interval(secs => $5), absolute_expires_at),
                   absolute_expires_at
            FROM taken
        )
        SELECT t.family_id, t.user_id, t.session_id, t.sid, t.scopes, t.resource, t.claims,
               t.nonce, t.auth_time, t.acr, t.amr, t.org_id, m.role_id AS org_role, t.user_epoch,
               t.email, t.email_verified, t.name, t.picture, now() AS issued_at
        FROM taken t LEFT JOIN organization_members m
          ON m.app_id = $1 AND m.org_id = t.org_id AND m.user_id = t.user_id
        """,
        app_id,
        token_hashes,
        client_id,
        child_hash,
        lifetime,
        client_epoch,
    )


async def prolong(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    lifetime: float,
) -> Granted | None:
    """For clients whose refresh tokens do not rotate (FAPI 2.0): the same token, living on."""
    return await maybe(
        db,
        Granted,
        """
        WITH taken AS (
            UPDATE refresh_tokens r
            SET expires_at = least(now() + make_interval(secs => $4), r.absolute_expires_at)
            FROM token_families f, users u
            WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
              AND r.used_at IS NULL AND r.revoked_at IS NULL
              AND r.expires_at > now() AND r.absolute_expires_at > now()
              AND f.app_id = $1 AND f.id = r.family_id AND f.revoked_at IS NULL
              AND f.client_epoch = $5
              AND u.app_id = $1 AND u.id = r.user_id AND NOT u.disabled AND u.epoch = r.user_epoch
              AND (f.offline OR EXISTS (
                  SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = f.session_id
                    AND s.revoked_at IS NULL AND s.expires_at > now()
                    AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())))
            RETURNING r.family_id, r.user_id, r.session_id, r.sid, r.scopes, r.resource, r.claims,
                r.nonce, r.auth_time, r.acr, r.amr, r.org_id, r.user_epoch, u.email,
                u.email_verified, u.name, u.picture
        )
        SELECT t.family_id, t.user_id, t.session_id, t.sid, t.scopes, t.resource, t.claims,
               t.nonce, t.auth_time, t.acr, t.amr, t.org_id, m.role_id AS org_role, t.user_epoch,
               t.email, t.email_verified, t.name, t.picture, now() AS issued_at
        FROM taken t LEFT JOIN organization_members m
          ON m.app_id = $1 AND m.org_id = t.org_id AND m.user_id = t.user_id
        """,
        app_id,
        token_hashes,
        client_id,
        lifetime,
        client_epoch,
    )


async def again(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    grace: float,
) -> Granted | None:
    """What the immediate parent of a living token was exchanged for, if that was just now."""
    return await maybe(
        db,
        Granted,
        """
        SELECT r.family_id, r.user_id, r.session_id, r.sid, r.scopes, r.resource, r.claims,
               r.nonce, r.auth_time, r.acr, r.amr, r.org_id, m.role_id AS org_role, r.user_epoch,
               u.email, u.email_verified, u.name, u.picture, r.rotated_at AS issued_at
        FROM refresh_tokens r
        JOIN token_families f ON f.app_id = $1 AND f.id = r.family_id AND f.revoked_at IS NULL
         AND f.client_epoch = $5
        JOIN users u ON u.app_id = $1 AND u.id = r.user_id AND NOT u.disabled
         AND u.epoch = r.user_epoch
        LEFT JOIN organization_members m
          ON m.app_id = $1 AND m.org_id = r.org_id AND m.user_id = r.user_id
        WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
          AND r.rotated_at > now() - make_interval(secs => $4)
          AND (SELECT child.used_at IS NULL AND child.expires_at > now()
               FROM refresh_tokens child WHERE child.app_id = $1 AND child.family_id = r.family_id
                 AND child.generation = r.generation + 1)
          AND (f.offline OR EXISTS (
              SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = f.session_id
                AND s.revoked_at IS NULL AND s.expires_at > now()
                AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())))
        """,
        app_id,
        token_hashes,
        client_id,
        grace,
        client_epoch,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A refresh token as it stands, whatever its state."""

    family_id: str
    client_id: str
    user_id: str | None
    used_at: datetime | None
    expired: bool
    ended: bool


async def find(db: Db, *, app_id: str, token_hashes: list[str]) -> Known | None:
    return await maybe(
        db,
        Known,
        """
        SELECT r.family_id, r.client_id, r.user_id, r.used_at,
               r.expires_at <= now() OR r.absolute_expires_at <= now() AS expired,
               f.revoked_at IS NOT NULL OR r.revoked_at IS NOT NULL AS ended
        FROM refresh_tokens r JOIN token_families f ON f.app_id = $1 AND f.id = r.family_id
        WHERE r.app_id = $1 AND r.token_hash = ANY ($2)
        """,
        app_id,
        token_hashes,
    )


@dataclass(frozen=True, slots=True)
class LiveRefresh:
    """A refresh token that would be accepted, for introspection."""

    family_id: str
    client_id: str
    user_id: str
    sid: str | None
    scopes: list[str]
    expires_at: datetime
    created_at: datetime


async def live(
    db: Db, *, app_id: str, token_hashes: list[str], client_epoch: int
) -> LiveRefresh | None:
    return await maybe(
        db,
        LiveRefresh,
        """
        SELECT r.family_id, r.client_id, r.user_id, r.sid, r.scopes, r.expires_at, r.created_at
        FROM refresh_tokens r
        JOIN token_families f ON f.app_id = $1 AND f.id = r.family_id AND f.revoked_at IS NULL
         AND f.client_epoch = $3
        JOIN users u ON u.app_id = $1 AND u.id = r.user_id AND NOT u.disabled
         AND u.epoch = r.user_epoch
        WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.used_at IS NULL
          AND r.expires_at > now() AND r.absolute_expires_at > now()
          AND (f.offline OR EXISTS (
              SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.id = f.session_id
                AND s.revoked_at IS NULL AND s.expires_at > now()
                AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())))
        """,
        app_id,
        token_hashes,
        client_epoch,
    )


async def insert_opaque(
    db: Db,
    *,
    app_id: str,
    token_hash: str,
    jti: str,
    family_id: str | None,
    client_id: str,
    user_id: str | None,
    sid: str | None,
    scopes: list[str],
    audience: list[str],
    claims: dict[str, object],
    user_epoch: int,
    expires_at: datetime,
) -> None:
    await run(
        db,
        """
        INSERT INTO access_tokens (app_id, token_hash, jti, family_id, client_id, user_id, sid,
                                   scopes, audience, claims, user_epoch, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        app_id,
        token_hash,
        jti,
        family_id,
        client_id,
        user_id,
        sid,
        scopes,
        audience,
        claims,
        user_epoch,
        expires_at,
    )
