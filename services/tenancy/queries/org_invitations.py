"""Reads and writes invitations to organizations.

A pending invitation whose time is over reads as `expired`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import keyset
from common.address_keys import address_key
from common.contracts.org_invitations import OrganizationInvitation, OrganizationOffer
from common.db import Db, many, maybe, run, value

STATUS: Final = (
    "CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired' ELSE status END"
)
INVITATIONS: Final = f"""
    id, org_id, email, role_id AS role, invited_by, accepted_at, sent_at, expires_at,
           created_at, {STATUS} AS status
    FROM organization_invitations WHERE app_id = $1 AND org_id = $2"""
BY_ID: Final = f"SELECT {INVITATIONS} AND id = $3"
PAGE: Final = f"""
    SELECT {INVITATIONS}
      AND (created_at, id) < ($4::timestamptz, $5::uuid)
      AND ($3::text IS NULL OR {STATUS} = $3)
    ORDER BY created_at DESC, id DESC LIMIT $6
    """


async def by_id(db: Db, *, app_id: str, org_id: str, id: str) -> OrganizationInvitation | None:
    """Returns the invitation, or None."""
    return await maybe(db, OrganizationInvitation, BY_ID, app_id, org_id, id)


async def page(
    db: Db,
    *,
    app_id: str,
    org_id: str,
    status: str | None,
    before: tuple[str | None, str | None],
    limit: int,
) -> list[OrganizationInvitation]:
    """Returns the invitations before (created_at, id), the newest first."""
    return await many(
        db,
        OrganizationInvitation,
        PAGE,
        app_id,
        org_id,
        status,
        *keyset.backward(*before),
        limit,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    org_id: str,
    email: str,
    role: str,
    token_hash: str,
    invited_by: str | None,
    seconds: int,
) -> bool:
    """Adds an invitation for that many seconds.

    Returns False if the address has a pending invitation. Raises ForeignKeyViolationError for an
    unknown role.
    """
    return (
        await run(
            db,
            """
            INSERT INTO organization_invitations
                (app_id, id, org_id, email, role_id, token_hash, invited_by, expires_at,
                 email_normalized)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8), $9)
            ON CONFLICT DO NOTHING
            """,
            app_id,
            id,
            org_id,
            email,
            role,
            token_hash,
            invited_by,
            seconds,
            address_key(email),
        )
        == 1
    )


async def renew(db: Db, *, app_id: str, org_id: str, id: str, token_hash: str) -> bool:
    """Gives the invitation a new token, with the lifetime of the old one.

    Returns False unless it is pending and its last mail is older than a minute.
    """
    return (
        await run(
            db,
            """
            UPDATE organization_invitations
            SET token_hash = $4, expires_at = now() + (expires_at - sent_at), sent_at = now()
            WHERE app_id = $1 AND org_id = $2 AND id = $3 AND status = 'pending'
              AND sent_at < now() - interval '1 minute'
            """,
            app_id,
            org_id,
            id,
            token_hash,
        )
        == 1
    )


async def revoke(db: Db, *, app_id: str, org_id: str, id: str) -> bool:
    """Revokes the invitation. Returns False if it is not pending."""
    return (
        await run(
            db,
            """
            UPDATE organization_invitations SET status = 'revoked'
            WHERE app_id = $1 AND org_id = $2 AND id = $3 AND status = 'pending'
            """,
            app_id,
            org_id,
            id,
        )
        == 1
    )


async def revoke_expired(db: Db, *, app_id: str, org_id: str, email: str) -> None:
    """Revokes an expired invitation for the address, so that it does not prevent a new one."""
    await run(
        db,
        """
        UPDATE organization_invitations SET status = 'revoked'
        WHERE app_id = $1 AND org_id = $2 AND email_normalized = $3
          AND status = 'pending' AND expires_at <= now()
        """,
        app_id,
        org_id,
        address_key(email),
    )


async def count_last_day(db: Db, *, app_id: str, org_id: str, invited_by: str | None) -> int:
    """Returns the mails of the last day for this organization or by this user, whichever is more.

    The limit protects the people who get these mails: they did not ask for them.
    """
    return int(
        await value(
            db,
            """
            SELECT greatest(
                (SELECT count(*) FROM organization_invitations
                 WHERE app_id = $1 AND org_id = $2 AND sent_at > now() - interval '1 day'),
                (SELECT count(*) FROM organization_invitations
                 WHERE app_id = $1 AND invited_by = $3 AND sent_at > now() - interval '1 day')
            )
            """,
            app_id,
            org_id,
            invited_by,
        )
    )


async def offer(db: Db, *, app_id: str, token_hashes: list[str]) -> OrganizationOffer | None:
    """Returns what the pending invitation with this token offers, or None."""
    return await maybe(
        db,
        OrganizationOffer,
        """
        SELECT o.id AS org_id, o.name AS org_name, o.slug AS org_slug, o.logo_url, i.email,
               i.role_id AS role, i.expires_at
        FROM organization_invitations i
        JOIN organizations o ON o.app_id = $1 AND o.id = i.org_id
        WHERE i.app_id = $1 AND i.token_hash = ANY($2::text[])
          AND i.status = 'pending' AND i.expires_at > now()
        """,
        app_id,
        token_hashes,
    )


@dataclass(frozen=True)
class AcceptedInvitation:
    """The organization and role of an invitation that was accepted."""

    id: str
    org_id: str
    role: str


async def accept(
    db: Db, *, app_id: str, token_hashes: list[str], user_id: str
) -> AcceptedInvitation | None:
    """Accepts the pending invitation with this token, once.

    Returns None if it is not pending, has expired, or is for an address that the user does not
    have.
    """
    return await maybe(
        db,
        AcceptedInvitation,
        """
        UPDATE organization_invitations i
        SET status = 'accepted', accepted_by = $3, accepted_at = now()
        FROM users u
        WHERE i.app_id = $1 AND i.token_hash = ANY($2::text[])
          AND i.status = 'pending' AND i.expires_at > now()
          AND u.app_id = $1 AND u.id = $3 AND u.email_normalized = i.email_normalized
        RETURNING i.id, i.org_id, i.role_id AS role
        """,
        app_id,
        token_hashes,
        user_id,
    )
