"""Statements on user_invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import keyset
from common.address_keys import address_key
from common.contracts.invitations import Invitation
from common.db import Db, many, maybe, one, run, value


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    email: str,
    token_hash: str,
    role_ids: list[str],
    profile: dict[str, Any],
    invited_by: str | None,
    ttl: int,
) -> Invitation:
    """Stores an invitation. Raises UniqueViolationError (user_invitations_pending_key)."""
    return await one(
        db,
        Invitation,
        """
        INSERT INTO user_invitations (app_id, id, email, token_hash, role_ids, profile, invited_by,
                                      expires_at, email_normalized)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8), $9)
        RETURNING id, email, role_ids, 'pending' AS status, invited_by, sent_at, expires_at,
                  created_at
        """,
        app_id,
        id,
        email,
        token_hash,
        role_ids,
        profile,
        invited_by,
        ttl,
        address_key(email),
    )


async def role_ids(db: Db, *, app_id: str, id: str) -> list[str]:
    """Returns the roles that the invitation gives, or none if there is no such invitation."""
    return (
        await value(
            db, "SELECT role_ids FROM user_invitations WHERE app_id = $1 AND id = $2", app_id, id
        )
        or []
    )


async def end_expired(db: Db, *, app_id: str, email: str) -> None:
    """Ends an expired invitation of this address, so that it does not prevent a new one."""
    await run(
        db,
        """
        UPDATE user_invitations SET revoked_at = expires_at
        WHERE app_id = $1 AND email_normalized = $2 AND accepted_at IS NULL AND revoked_at IS NULL
          AND expires_at <= now()
        """,
        app_id,
        address_key(email),
    )


async def list_(
    db: Db, *, app_id: str, before: str | None, before_id: str | None, limit: int
) -> list[Invitation]:
    """Returns a page of invitations, the newest first."""
    return await many(
        db,
        Invitation,
        """
        SELECT id, email, role_ids, invited_by, sent_at, expires_at, created_at,
            CASE WHEN accepted_at IS NOT NULL THEN 'accepted'
                 WHEN expires_at <= now() THEN 'expired'
                 WHEN revoked_at IS NOT NULL THEN 'revoked' ELSE 'pending' END AS status
        FROM user_invitations
        WHERE app_id = $1 AND (created_at, id) < ($2::timestamptz, $3::uuid)
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,
        app_id,
        *keyset.backward(before, before_id),
        limit,
    )


@dataclass(frozen=True)
class OpenInvitation:
    """A pending invitation."""

    id: str
    email: str
    role_ids: list[str]
    profile: dict[str, Any]
    expires_at: datetime


async def get_open(db: Db, *, app_id: str, token_hashes: list[str]) -> OpenInvitation | None:
    """Returns the pending invitation of a token."""
    return await maybe(
        db,
        OpenInvitation,
        """
        SELECT id, email, role_ids, profile, expires_at FROM user_invitations
        WHERE app_id = $1 AND token_hash = ANY($2::text[]) AND accepted_at IS NULL
          AND revoked_at IS NULL AND expires_at > now()
        """,
        app_id,
        token_hashes,
    )


async def accept(db: Db, *, app_id: str, id: str, user_id: str) -> bool:
    """Marks the invitation as accepted. Returns False if it is not pending."""
    return (
        await run(
            db,
            """
            UPDATE user_invitations SET accepted_at = now(), accepted_by = $3
            WHERE app_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL
              AND expires_at > now()
            """,
            app_id,
            id,
            user_id,
        )
        == 1
    )


async def renew(db: Db, *, app_id: str, id: str, token_hash: str, ttl: int) -> Invitation | None:
    """Gives the invitation a new token and lifetime. Returns None if it was accepted or revoked."""
    return await maybe(
        db,
        Invitation,
        """
        UPDATE user_invitations
        SET token_hash = $3, sent_at = now(), expires_at = now() + make_interval(secs => $4),
            revoked_at = NULL
        WHERE app_id = $1 AND id = $2 AND accepted_at IS NULL
          AND (revoked_at IS NULL OR revoked_at = expires_at)
        RETURNING id, email, role_ids, 'pending' AS status, invited_by, sent_at, expires_at,
                  created_at
        """,
        app_id,
        id,
        token_hash,
        ttl,
    )


async def revoke(db: Db, *, app_id: str, id: str) -> bool:
    """Revokes the invitation. Returns False if it is not pending."""
    return (
        await run(
            db,
            """
            UPDATE user_invitations SET revoked_at = now()
            WHERE app_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL
              AND expires_at > now()
            """,
            app_id,
            id,
        )
        == 1
    )
