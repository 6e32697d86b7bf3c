"""Reads and writes custom_domains, the hosts that applications have of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.db import Db, many, maybe, one, run, value


@dataclass(frozen=True)
class CustomDomainRow:
    """A custom domain with the state of its proof and its certificate."""

    id: str
    app_id: str
    domain: str
    verification_token: str
    txt_ok: bool
    cname_ok: bool
    checked_at: datetime | None
    last_error: str | None
    verified_at: datetime | None
    is_primary: bool
    cf_custom_hostname_id: str | None
    certificate_status: str | None
    created_at: datetime
    updated_at: datetime


COLUMNS: Final = """
    id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
    verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at, updated_at"""
BY_ID: Final = f"SELECT {COLUMNS} FROM custom_domains WHERE app_id = $1 AND id = $2"
OF_APPLICATION: Final = f"SELECT {COLUMNS} FROM custom_domains WHERE app_id = $1 ORDER BY id"
VERIFIED: Final = f"""
    -- any-tenant: a domain has one verified owner over all applications
    SELECT {COLUMNS} FROM custom_domains WHERE domain = $1 AND verified_at IS NOT NULL
    """
INSERT: Final = f"""
    INSERT INTO custom_domains (app_id, id, domain, verification_token)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (app_id, domain) DO UPDATE SET domain = excluded.domain
    RETURNING {COLUMNS}
    """
DELETE: Final = f"DELETE FROM custom_domains WHERE app_id = $1 AND id = $2 RETURNING {COLUMNS}"


async def by_id(db: Db, *, app_id: str, id: str) -> CustomDomainRow | None:
    """Returns the domain, or None."""
    return await maybe(db, CustomDomainRow, BY_ID, app_id, id)


async def of_application(db: Db, *, app_id: str) -> list[CustomDomainRow]:
    """Returns the application's domains, the oldest first."""
    return await many(db, CustomDomainRow, OF_APPLICATION, app_id)


async def verified(db: Db, *, domain: str) -> CustomDomainRow | None:
    """Returns the domain of the application that has verified it, or None."""
    return await maybe(db, CustomDomainRow, VERIFIED, domain)


async def count(db: Db, *, app_id: str) -> int:
    """Returns how many domains the application has."""
    return int(await value(db, "SELECT count(*) FROM custom_domains WHERE app_id = $1", app_id))


async def insert(
    db: Db, *, app_id: str, id: str, domain: str, verification_token: str
) -> CustomDomainRow:
    """Adds a domain that is to be verified. Returns the existing row if there is one."""
    return await one(db, CustomDomainRow, INSERT, app_id, id, domain, verification_token)


async def set_verified(db: Db, *, app_id: str, id: str) -> bool:
    """Marks the domain as verified. Returns False if it is verified already.

    Raises UniqueViolationError if another application has it.
    """
    return (
        await run(
            db,
            """
            UPDATE custom_domains SET verified_at = now()
            WHERE app_id = $1 AND id = $2 AND verified_at IS NULL
            """,
            app_id,
            id,
        )
        == 1
    )


async def set_unverified(db: Db, *, app_id: str, id: str, verification_token: str) -> bool:
    """Marks the domain as not verified; a new proof needs the new token.

    Returns False if it is not verified.
    """
    return (
        await run(
            db,
            """
            UPDATE custom_domains
            SET verified_at = NULL, is_primary = false, txt_ok = false, cname_ok = false,
                verification_token = $3, updated_at = now()
            WHERE app_id = $1 AND id = $2 AND verified_at IS NOT NULL
            """,
            app_id,
            id,
            verification_token,
        )
        == 1
    )


async def set_primary(db: Db, *, app_id: str, id: str | None) -> None:
    """Makes this the primary domain, or none if `id` is None.

    Two statements: within one, the unique index would see two primary domains.
    """
    await run(
        db,
        "UPDATE custom_domains SET is_primary = false WHERE app_id = $1 AND is_primary",
        app_id,
    )
    await run(
        db, "UPDATE custom_domains SET is_primary = true WHERE app_id = $1 AND id = $2", app_id, id
    )


async def copy_primary(db: Db, *, app_id: str) -> None:
    """Copies the primary domain into `applications`, from which hosts are made without a join."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications a
        SET custom_domain = d.domain, custom_domain_verified = d.domain IS NOT NULL,
            cf_custom_hostname_id = d.cf_custom_hostname_id, updated_at = now()
        FROM (SELECT 1) AS always
        LEFT JOIN custom_domains d ON d.app_id = $1 AND d.is_primary
        WHERE a.id = $1
        """,
        app_id,
    )


async def set_certificate(
    db: Db, *, app_id: str, id: str, hostname_id: str | None, status: str | None
) -> None:
    """Stores the domain's id at Cloudflare and the state of its certificate there."""
    await run(
        db,
        """
        UPDATE custom_domains SET cf_custom_hostname_id = $3, certificate_status = $4
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        hostname_id,
        status,
    )


async def delete(db: Db, *, app_id: str, id: str) -> CustomDomainRow | None:
    """Deletes the domain. Returns the deleted row, or None."""
    return await maybe(db, CustomDomainRow, DELETE, app_id, id)
