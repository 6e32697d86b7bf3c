"""Who belongs to an organization, as what."""

from __future__ import annotations

from dataclasses import dataclass

from common import keyset
from common.address_keys import address_key
from common.contracts.members import Member
from common.db import Db, many, maybe, run, value


async def insert(db: Db, *, app_id: str, org_id: str, user_id: str, role: str) -> bool:
    """False where he is a member already, whatever his role."""
    return (
        await run(
            db,
            """
        INSERT INTO organization_members (app_id, org_id, user_id, role_id)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
        """,
            app_id,
            org_id,
            user_id,
            role,
        )
        == 1
    )


async def by_id(db: Db, *, app_id: str, org_id: str, user_id: str) -> Member | None:
    return await maybe(
        db,
        Member,
        """
        SELECT m.user_id, u.email, u.name, u.picture, m.role_id AS role, m.created_at
        FROM organization_members m
        JOIN users u ON u.app_id = $1 AND u.id = m.user_id
        WHERE m.app_id = $1 AND m.org_id = $2 AND m.user_id = $3
        """,
        app_id,
        org_id,
        user_id,
    )


async def page(
    db: Db, *, app_id: str, org_id: str, after: tuple[str | None, str | None], limit: int
) -> list[Member]:
    return await many(
        db,
        Member,
        """
        SELECT m.user_id, u.email, u.name, u.picture, m.role_id AS role, m.created_at
        FROM organization_members m
        JOIN users u ON u.app_id = $1 AND u.id = m.user_id
        WHERE m.app_id = $1 AND m.org_id = $2
          AND (m.created_at, m.user_id) > ($3::timestamptz, $4::uuid)
        ORDER BY m.created_at, m.user_id LIMIT $5
        """,
        app_id,
        org_id,
        *keyset.forward(*after),
        limit,
    )


async def has_address(db: Db, *, app_id: str, org_id: str, email: str) -> bool:
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM users u
                JOIN organization_members m
                    ON m.app_id = $1 AND m.org_id = $2 AND m.user_id = u.id
                WHERE u.app_id = $1 AND u.email_normalized = $3
            )
            """,
            app_id,
            org_id,
            address_key(email),
        )
    )


async def another_admin(db: Db, *, app_id: str, org_id: str, than: str) -> bool:
    """The organization's row is locked, so the answer holds until the transaction ends."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM organization_members m
                JOIN users u ON u.app_id = $1 AND u.id = m.user_id AND NOT u.disabled
                WHERE m.app_id = $1 AND m.org_id = $2 AND m.role_id = 'admin' AND m.user_id <> $3
            )
            """,
            app_id,
            org_id,
            than,
        )
    )


async def change_role(db: Db, *, app_id: str, org_id: str, user_id: str, role: str) -> None:
    await run(
        db,
        """
        UPDATE organization_members SET role_id = $4, updated_at = now()
        WHERE app_id = $1 AND org_id = $2 AND user_id = $3
        """,
        app_id,
        org_id,
        user_id,
        role,
    )


async def delete(db: Db, *, app_id: str, org_id: str, user_id: str) -> None:
    await run(
        db,
        "DELETE FROM organization_members WHERE app_id = $1 AND org_id = $2 AND user_id = $3",
        app_id,
        org_id,
        user_id,
    )


async def delete_all(db: Db, *, app_id: str, user_id: str) -> None:
    await run(
        db,
        "DELETE FROM organization_members WHERE app_id = $1 AND user_id = $2",
        app_id,
        user_id,
    )


async def lock_all(db: Db, *, app_id: str, user_id: str) -> None:
    """Until the transaction ends nobody else changes the roles in any of his organizations."""
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


@dataclass(frozen=True)
class Membership:
    """What an organization is without him."""

    org_id: str
    slug: str
    name: str
    role: str
    is_personal: bool
    others: bool
    another_admin: bool
    owns_applications: bool


async def of_user(db: Db, *, app_id: str, user_id: str) -> list[Membership]:
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
class Joined:
    org_id: str
    role: str


async def roles_of(db: Db, *, app_id: str, user_id: str) -> list[Joined]:
    """Each organization of the user, and the role there."""
    return await many(
        db,
        Joined,
        """
        SELECT org_id, role_id AS role FROM organization_members
        WHERE app_id = $1 AND user_id = $2 ORDER BY org_id
        """,
        app_id,
        user_id,
    )


async def join_by_domain(db: Db, *, app_id: str, user_id: str) -> list[Joined]:
    """Only by an address that is verified, and where the domain is proven and open."""
    return await many(
        db,
        Joined,
        """
        -- In the collation of the domains' index. Apart, for what is no bare comparison may not look
        -- into a table ahead of its policy.
        WITH joining AS MATERIALIZED (
            SELECT id, split_part(email_normalized, '@', 2) COLLATE "default" AS domain FROM users
            WHERE app_id = $1 AND id = $2 AND email_verified AND NOT disabled
        )
        INSERT INTO organization_members (app_id, org_id, user_id, role_id)
        SELECT d.app_id, d.org_id, j.id, d.role_id
        FROM joining j CROSS JOIN LATERAL (
            SELECT o.app_id, o.org_id, o.role_id FROM organization_domains o
            WHERE o.app_id = $1 AND o.domain = j.domain AND o.verified_at IS NOT NULL
              AND o.auto_join OFFSET 0) d
        ON CONFLICT DO NOTHING
        RETURNING org_id, role_id AS role
        """,
        app_id,
        user_id,
    )


@dataclass(frozen=True)
class Person:
    """What a mail says of whoever invites, and what a team is named after."""

    email: str | None
    name: str | None


async def person(db: Db, *, app_id: str, user_id: str) -> Person | None:
    return await maybe(
        db,
        Person,
        "SELECT email, name FROM users WHERE app_id = $1 AND id = $2",
        app_id,
        user_id,
    )
