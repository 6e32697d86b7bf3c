"""Reads and writes all memberships of one user."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, many, run, value


@dataclass(frozen=True)
class Membership:
    """A user's organization and role, and what the organization is without this user.

    `others` says whether it has other members, `another_admin` whether one of them is an admin.
    """

    org_id: str
    slug: str
    name: str
    role: str
    is_personal: bool
    others: bool
    another_admin: bool
    owns_applications: bool


async def of_user(db: Db, *, app_id: str, user_id: str) -> list[Membership]:
    """Returns the user's memberships, by organization."""
    return await many(
        db,
        Membership,
        """
        SELECT o.id AS org_id, o.slug, o.name, m.role_id AS role, o.is_personal,
               EXISTS (SELECT FROM organization_members x WHERE x.app_id = $1
                       AND x.org_id = o.id AND x.user_id <> $2) AS others,
               EXISTS (SELECT FROM organization_members x
                       JOIN users u ON u.app_id = $1 AND u.id = x.user_id AND NOT u.disabled
                       WHERE x.app_id = $1
                       AND x.org_id = o.id AND x.user_id <> $2 AND x.role_id = 'admin')
                   AS another_admin,
               EXISTS (SELECT FROM applications a WHERE a.owner_app_id = $1
                       AND a.owner_org_id = o.id) AS owns_applications
        FROM organization_members m
        JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
        WHERE m.app_id = $1 AND m.user_id = $2
        ORDER BY o.id
        """,
        app_id,
        user_id,
    )


@dataclass(frozen=True)
class OrganizationRole:
    """An organization and the user's role there."""

    org_id: str
    role: str


async def roles_of_user(db: Db, *, app_id: str, user_id: str) -> list[OrganizationRole]:
    """Returns the user's role in each organization."""
    return await many(
        db,
        OrganizationRole,
        """
        SELECT org_id, role_id AS role FROM organization_members
        WHERE app_id = $1 AND user_id = $2 ORDER BY org_id
        """,
        app_id,
        user_id,
    )


async def insert_by_domain(db: Db, *, app_id: str, user_id: str) -> list[OrganizationRole]:
    """Adds the user to the organizations that their address opens to them.

    The user's address must be verified. The organization must have proven its domain, the proof must
    still be there, and people must be allowed to join by it. Returns the new memberships.
    """
    return await many(
        db,
        OrganizationRole,
        """
        -- COLLATE: the collation of the index on domains. MATERIALIZED: only a comparison with a
        -- value that is known before may use an index ahead of the table's policy.
        WITH joining AS MATERIALIZED (
            SELECT id, split_part(email_normalized, '@', 2) COLLATE "default" AS domain FROM users
            WHERE app_id = $1 AND id = $2 AND email_verified AND NOT disabled
        )
        INSERT INTO organization_members (app_id, org_id, user_id, role_id)
        SELECT d.app_id, d.org_id, j.id, d.role_id
        FROM joining j CROSS JOIN LATERAL (
            SELECT o.app_id, o.org_id, o.role_id FROM organization_domains o
            WHERE o.app_id = $1 AND o.domain = j.domain AND o.verified_at IS NOT NULL
              AND o.missing_since IS NULL AND o.auto_join OFFSET 0) d
        ON CONFLICT DO NOTHING
        RETURNING org_id, role_id AS role
        """,
        app_id,
        user_id,
    )


async def role_of_domain(db: Db, *, app_id: str, org_id: str, domain: str) -> str | None:
    """Returns the role of users who join by the domain. None if the organization has not proven it, or
    if the proof is missing."""
    role: str | None = await value(
        db,
        """
        SELECT role_id FROM organization_domains
        WHERE app_id = $1 AND org_id = $2 AND domain = $3 AND verified_at IS NOT NULL
          AND missing_since IS NULL
        """,
        app_id,
        org_id,
        domain,
    )
    return role


async def insert_enabled(db: Db, *, app_id: str, org_id: str, user_id: str, role: str) -> bool:
    """Adds a user who is not disabled. Returns False if there is no such user, or if they are a member
    already. Raises ForeignKeyViolationError for an unknown role."""
    return (
        await run(
            db,
            """
            INSERT INTO organization_members (app_id, org_id, user_id, role_id)
            SELECT $1, $2, u.id, $4 FROM users u
            WHERE u.app_id = $1 AND u.id = $3 AND NOT u.disabled
            ON CONFLICT DO NOTHING
            """,
            app_id,
            org_id,
            user_id,
            role,
        )
        == 1
    )


async def lock_of_user(db: Db, *, app_id: str, user_id: str) -> None:
    """Locks all organizations of the user, and with them the roles of their members."""
    await run(
        db,
        """
        SELECT FROM organizations o
        JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
        WHERE o.app_id = $1
        ORDER BY o.id FOR NO KEY UPDATE OF o
        """,
        app_id,
        user_id,
    )


async def delete_of_user(db: Db, *, app_id: str, user_id: str) -> None:
    """Removes the user from all organizations."""
    await run(
        db,
        "DELETE FROM organization_members WHERE app_id = $1 AND user_id = $2",
        app_id,
        user_id,
    )
