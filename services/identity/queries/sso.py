"""Statements on organizations that require their own provider."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.identity_providers import PublicProvider
from common.db import Db, many, maybe, run, value
from identity.queries.session_ends import EndedSession


@dataclass(frozen=True)
class SsoProvider:
    """The provider of an organization: the name in addresses, and the name to show."""

    name: str
    display_name: str


async def first_provider(db: Db, *, app_id: str, org_ids: list[str]) -> SsoProvider | None:
    """Returns the first provider of these organizations that is switched on."""
    return await maybe(
        db,
        SsoProvider,
        """
        SELECT name, display_name FROM identity_providers
        WHERE app_id = $1 AND org_id = ANY($2::uuid[]) AND enabled
        ORDER BY position, name LIMIT 1
        """,
        app_id,
        org_ids,
    )


async def provider_of_domain(db: Db, *, app_id: str, domain: str) -> PublicProvider | None:
    """Returns the first provider, switched on, of the organization that has verified the domain."""
    return await maybe(
        db,
        PublicProvider,
        """
        SELECT p.id, p.name, p.type, p.display_name
        FROM organization_domains d
        JOIN identity_providers p ON p.app_id = $1 AND p.org_id = d.org_id AND p.enabled
        WHERE d.app_id = $1 AND d.domain = $2 AND d.verified_at IS NOT NULL
        ORDER BY p.position, p.name LIMIT 1
        """,
        app_id,
        domain,
    )


async def closed_to(db: Db, *, app_id: str, session_id: str, org_id: str) -> bool:
    """Returns whether the organization requires its own provider and another way started the session."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (SELECT FROM organizations o WHERE o.app_id = $1 AND o.id = $3 AND o.sso_required)
               AND NOT EXISTS (SELECT FROM user_sessions s
                               WHERE s.app_id = $1 AND s.id = $2 AND s.idp_org_id = $3)
            """,
            app_id,
            session_id,
            org_id,
        )
    )


async def end_unqualified(db: Db, *, app_id: str, org_id: str, limit: int) -> list[EndedSession]:
    """Ends at most `limit` sessions of members: those in which the organization is active although
    another way started them, and those that no organization's provider started."""
    return await many(
        db,
        EndedSession,
        """
        UPDATE user_sessions s SET revoked_at = now(), revoked_reason = 'sso_required'
        WHERE s.app_id = $1 AND s.revoked_at IS NULL AND s.id IN (
            SELECT e.id FROM organizations o
            JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id
            JOIN user_sessions e ON e.app_id = $1 AND e.user_id = m.user_id
            WHERE o.app_id = $1 AND o.id = $2 AND o.sso_required AND e.revoked_at IS NULL
              AND e.idp_org_id IS DISTINCT FROM $2
              AND (e.active_org_id = $2 OR e.idp_org_id IS NULL)
            LIMIT $3)
        RETURNING s.id, s.user_id, s.actor_id
        """,
        app_id,
        org_id,
        limit,
    )


async def activate_joined(db: Db, *, app_id: str, session_id: str, org_id: str) -> None:
    """Makes the organization active in a session that its own provider has just started."""
    await run(
        db,
        """
        UPDATE user_sessions s SET active_org_id = $3
        FROM organization_members m
        WHERE s.app_id = $1 AND s.id = $2 AND s.idp_org_id = $3 AND s.active_org_id IS NULL
          AND s.revoked_at IS NULL
          AND m.app_id = $1 AND m.org_id = $3 AND m.user_id = s.user_id
        """,
        app_id,
        session_id,
        org_id,
    )


async def speaks_for(db: Db, *, app_id: str, org_id: str, domain: str) -> bool:
    """Returns whether the organization has verified the domain, and the proof is still there."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM organization_domains
                WHERE app_id = $1 AND org_id = $2 AND domain = $3 AND verified_at IS NOT NULL
                  AND missing_since IS NULL
            )
            """,
            app_id,
            org_id,
            domain,
        )
    )
