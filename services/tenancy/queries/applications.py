"""Rows of applications, the registry of tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from common import keyset
from common.db import Db, Link, many, maybe, run


@dataclass(frozen=True)
class Row:
    """An application with every verified domain of its own, the primary one first."""

    id: str
    slug: str
    name: str
    owner_org_id: str | None
    logo_url: str | None
    favicon_url: str | None
    primary_color: str | None
    support_email: str | None
    homepage_url: str | None
    privacy_policy_url: str | None
    terms_url: str | None
    settings: dict[str, Any]
    is_dashboard: bool
    custom_domain: str | None
    custom_domain_verified: bool
    state: Literal["creating", "active", "deleting"]
    provisioned: list[str]
    created_at: datetime
    updated_at: datetime
    domains: list[str]


async def by_id(db: Db, *, id: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a WHERE a.id = $1
        """,
        id,
    )


async def by_slug(db: Db, *, slug: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a WHERE a.slug = $1
        """,
        slug,
    )


async def by_domain(db: Db, *, domain: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: the host finds the application
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM custom_domains c
        JOIN applications a ON a.id = c.app_id
        WHERE c.domain = $1 AND c.verified_at IS NOT NULL
        """,
        domain,
    )


async def page(db: Db, *, after: tuple[str | None, str | None], limit: int) -> list[Row]:
    """Returns all that come after (created_at, id)."""
    return await many(
        db,
        Row,
        """
        -- any-tenant: an operator sees every application
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a
        WHERE a.state <> 'deleting' AND (a.created_at, a.id) > ($1::timestamptz, $2::uuid)
        ORDER BY a.created_at, a.id LIMIT $3
        """,
        *keyset.forward(*after),
        limit,
    )


async def page_of_teams(
    db: Db, *, teams: list[str], after: tuple[str | None, str | None], limit: int
) -> list[Row]:
    """Returns those that the teams own and that come after (created_at, id)."""
    return await many(
        db,
        Row,
        """
        -- any-tenant: the applications that a team owns
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a
        WHERE a.state <> 'deleting' AND a.owner_org_id = ANY($1::uuid[])
          AND (a.created_at, a.id) > ($2::timestamptz, $3::uuid)
        ORDER BY a.created_at, a.id LIMIT $4
        """,
        teams,
        *keyset.forward(*after),
        limit,
    )


async def insert(
    db: Db, *, id: str, slug: str, name: str, owner_org_id: str | None, settings: dict[str, Any]
) -> bool:
    """False where the slug is taken: the transaction goes on."""
    return (
        await run(
            db,
            """
            -- any-tenant: applications is the registry of tenants
            INSERT INTO applications (id, slug, name, owner_org_id, settings)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (slug) DO NOTHING
            """,
            id,
            slug,
            name,
            owner_org_id,
            settings,
        )
        == 1
    )


async def locked(db: Db, *, slug: str) -> Row | None:
    """The application, held until the transaction ends: changes to it follow one another."""
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a WHERE a.slug = $1 FOR UPDATE OF a
        """,
        slug,
    )


async def locked_by_id(db: Db, *, id: str) -> Row | None:
    """The application, held until the transaction ends: changes to it follow one another."""
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
               a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
               a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
               a.created_at, a.updated_at,
               ARRAY(SELECT d.domain FROM custom_domains d
                     WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
                     ORDER BY d.is_primary DESC, d.id) AS domains
        FROM applications a WHERE a.id = $1 FOR UPDATE OF a
        """,
        id,
    )


async def update(db: Db, row: Row) -> None:
    """Write name, branding and settings as they stand in `row`."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications
        SET name = $2, logo_url = $3, favicon_url = $4, primary_color = $5, support_email = $6,
            homepage_url = $7, privacy_policy_url = $8, terms_url = $9, settings = $10,
            updated_at = now()
        WHERE id = $1
        """,
        row.id,
        row.name,
        row.logo_url,
        row.favicon_url,
        row.primary_color,
        row.support_email,
        row.homepage_url,
        row.privacy_policy_url,
        row.terms_url,
        row.settings,
    )


async def hand_over(db: Db, *, id: str, owner_org_id: str) -> None:
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications SET owner_org_id = $2, updated_at = now() WHERE id = $1
        """,
        id,
        owner_org_id,
    )


async def mark_deleting(db: Db, *, id: str) -> None:
    """From here on it answers nowhere."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications SET state = 'deleting', updated_at = now() WHERE id = $1
        """,
        id,
    )


async def delete_all_rows(db: Link, *, id: str, within: float) -> None:
    """With everything in it, by foreign key; a large application may take its time."""
    await db.execute("SET LOCAL statement_timeout = 0")
    await db.execute(
        """
        -- any-tenant: applications is the registry of tenants
        DELETE FROM applications WHERE id = $1 AND state = 'deleting'
        """,
        id,
        timeout=within,
    )


async def undo_insert(db: Db, *, id: str) -> None:
    """Take back an insert of this transaction."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        DELETE FROM applications WHERE id = $1
        """,
        id,
    )
