"""Reads and writes applications, the registry of tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from common.db import Db, Link, maybe, run, value

OWNER_CONSTRAINT: Final = "applications_owner_org_id_fkey"
"""The constraint that an unknown owner violates."""
REQUEST_CONSTRAINT: Final = "applications_request_key_key"
"""The constraint that a request violates if it was sent before."""


@dataclass(frozen=True)
class ApplicationRow:
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
    home: str
    home_generation: int
    at_home: bool
    domains: list[str]


COLUMNS: Final = """
    a.id, a.slug, a.name, a.owner_org_id, a.logo_url, a.favicon_url, a.primary_color,
    a.support_email, a.homepage_url, a.privacy_policy_url, a.terms_url, a.settings,
    a.is_dashboard, a.custom_domain, a.custom_domain_verified, a.state, a.provisioned,
    a.created_at, a.updated_at, a.home, a.home_generation, a.at_home,
    ARRAY(SELECT d.domain FROM custom_domains d
          WHERE d.app_id = a.id AND d.verified_at IS NOT NULL
          ORDER BY d.is_primary DESC, d.id) AS domains"""
"""Of `applications a`, for a `ApplicationRow`."""

BY_ID: Final = f"""
    -- any-tenant: applications is the registry of tenants
    SELECT {COLUMNS}
    FROM applications a WHERE a.id = $1
    """
BY_ID_FOR_UPDATE: Final = f"""
    -- any-tenant: applications is the registry of tenants
    SELECT {COLUMNS}
    FROM applications a WHERE a.id = $1 FOR UPDATE OF a
    """
BY_SLUG: Final = f"""
    -- any-tenant: applications is the registry of tenants
    SELECT {COLUMNS}
    FROM applications a WHERE a.slug = $1
    """
BY_SLUG_FOR_UPDATE: Final = f"""
    -- any-tenant: applications is the registry of tenants
    SELECT {COLUMNS}
    FROM applications a WHERE a.slug = $1 FOR UPDATE OF a
    """
BY_DOMAIN: Final = f"""
    -- any-tenant: the host finds the application
    SELECT {COLUMNS}
    FROM custom_domains c
    JOIN applications a ON a.id = c.app_id
    WHERE c.domain = $1 AND c.verified_at IS NOT NULL
    """


async def by_id(db: Db, *, id: str) -> ApplicationRow | None:
    """Returns the application, or None."""
    return await maybe(db, ApplicationRow, BY_ID, id)


async def by_id_for_update(db: Db, *, id: str) -> ApplicationRow | None:
    """Returns the application, locked until the transaction ends, or None."""
    return await maybe(db, ApplicationRow, BY_ID_FOR_UPDATE, id)


async def by_slug(db: Db, *, slug: str) -> ApplicationRow | None:
    """Returns the application, or None."""
    return await maybe(db, ApplicationRow, BY_SLUG, slug)


async def by_slug_for_update(db: Db, *, slug: str) -> ApplicationRow | None:
    """Returns the application, locked until the transaction ends, or None."""
    return await maybe(db, ApplicationRow, BY_SLUG_FOR_UPDATE, slug)


async def by_domain(db: Db, *, domain: str) -> ApplicationRow | None:
    """Returns the application that has verified the domain, or None."""
    return await maybe(db, ApplicationRow, BY_DOMAIN, domain)


async def ids_at(db: Db, *, home: str) -> list[str]:
    """Returns the ids of the applications in a cluster."""
    rows = await db.fetch(
        """
        -- any-tenant: every application's log is sealed
        SELECT id FROM applications WHERE home = $1 AND home_state = 'settled' ORDER BY id
        """,
        home,
    )
    return [row["id"] for row in rows]


async def insert(
    db: Db,
    *,
    id: str,
    slug: str,
    name: str,
    owner_org_id: str | None,
    request_key: str | None,
    settings: dict[str, Any],
    home: str,
) -> bool:
    """Adds an application in state `creating`. Returns False if the slug is in use. Raises
    ForeignKeyViolationError for an unknown owner, UniqueViolationError for a used `request_key`."""
    return (
        await run(
            db,
            """
            -- any-tenant: applications is the registry of tenants
            INSERT INTO applications (id, slug, name, owner_org_id, request_key, settings, home, at_home)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7 = 'main') ON CONFLICT (slug) DO NOTHING
            """,
            id,
            slug,
            name,
            owner_org_id,
            request_key,
            settings,
            home,
        )
        == 1
    )


async def slug_of_request(db: Db, *, request_key: str) -> str | None:
    """Returns the slug of the application that was created by this request, or None."""
    slug: str | None = await value(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT slug FROM applications WHERE request_key = $1
        """,
        request_key,
    )
    return slug


async def update(db: Db, row: ApplicationRow) -> None:
    """Writes name, branding and settings as they are in `row`."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications
        SET name = $2, logo_url = $3, favicon_url = $4, primary_color = $5, support_email = $6,
            homepage_url = $7, privacy_policy_url = $8, terms_url = $9, settings = $10,
            at_home = (home = 'main'), updated_at = now()
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


async def set_owner(db: Db, *, id: str, owner_org_id: str) -> None:
    """Gives the application to another team. Raises ForeignKeyViolationError for an unknown one."""
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
    """Sets the state to `deleting`. The application does not answer any more. One that is closed is opened:
    the deletion itself has to get in."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications
        SET state = 'deleting', updated_at = now(), closed = NULL,
            home_state = CASE WHEN closed IS NULL THEN home_state ELSE 'settled' END
        WHERE id = $1
        """,
        id,
    )


async def delete_all_rows(db: Link, *, id: str, within: float) -> None:
    """Deletes the application and, by foreign key, everything in it.

    A large application takes long: `within` is the limit in seconds.
    """
    await db.execute(f"SET LOCAL statement_timeout = {round(within * 1000)}")
    await db.execute(
        """
        -- any-tenant: applications is the registry of tenants
        DELETE FROM applications WHERE id = $1 AND state = 'deleting'
        """,
        id,
        timeout=within,
    )


async def delete_new(db: Db, *, id: str) -> None:
    """Deletes an application that this transaction inserted."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        DELETE FROM applications WHERE id = $1
        """,
        id,
    )
