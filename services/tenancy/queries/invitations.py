"""Invitations into organizations. `expired` is pending and past its time."""

from __future__ import annotations

from dataclasses import dataclass

from common import keyset
from common.address_keys import address_key
from common.contracts.org_invitations import OrganizationInvitation, OrganizationOffer
from common.db import Db, many, maybe, run, value


async def make_room(db: Db, *, app_id: str, org_id: str, email: str) -> None:
    """An invitation that expired does not stand in the way of a new one."""
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
    """False where this address has a pending invitation."""
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


async def by_id(db: Db, *, app_id: str, org_id: str, id: str) -> OrganizationInvitation | None:
    return await maybe(
        db,
        OrganizationInvitation,
        """
        SELECT id, org_id, email, role_id AS role, invited_by, accepted_at, sent_at, expires_at,
               created_at,
               CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired'
                    ELSE status END AS status
        FROM organization_invitations WHERE app_id = $1 AND org_id = $2 AND id = $3
        """,
        app_id,
        org_id,
        id,
    )


async def page(
    db: Db,
    *,
    app_id: str,
    org_id: str,
    status: str | None,
    before: tuple[str | None, str | None],
    limit: int,
) -> list[OrganizationInvitation]:
    """Returns a page, the newest first."""
    return await many(
        db,
        OrganizationInvitation,
        """
        SELECT id, org_id, email, role_id AS role, invited_by, accepted_at, sent_at, expires_at,
               created_at,
               CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired'
                    ELSE status END AS status
        FROM organization_invitations
        WHERE app_id = $1 AND org_id = $2 AND (created_at, id) < ($4::timestamptz, $5::uuid)
          AND ($3::text IS NULL
               OR CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired'
                       ELSE status END = $3)
        ORDER BY created_at DESC, id DESC LIMIT $6
        """,
        app_id,
        org_id,
        status,
        *keyset.backward(*before),
        limit,
    )


async def sent_lately(db: Db, *, app_id: str, org_id: str, invited_by: str | None) -> int:
    """Mails of the last day, for this organization or by this person, whichever are more: an
    invitation goes to an address whose owner never asked."""
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


async def renew(db: Db, *, app_id: str, org_id: str, id: str, token_hash: str) -> bool:
    """A new token with the time the old one had. False unless it waits, and the last mail is
    older than a minute."""
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


async def offer(db: Db, *, app_id: str, token_hashes: list[str]) -> OrganizationOffer | None:
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
class Taken:
    id: str
    org_id: str
    role: str


async def take(db: Db, *, app_id: str, token_hashes: list[str], user_id: str) -> Taken | None:
    """Use it up: once, in time, and by whoever has the invited address."""
    return await maybe(
        db,
        Taken,
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
