"""Rows of custom_domains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, maybe, one, run, value


@dataclass(frozen=True)
class Row:
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


async def insert(db: Db, *, app_id: str, id: str, domain: str, verification_token: str) -> Row:
    return await one(
        db,
        Row,
        """
        INSERT INTO custom_domains (app_id, id, domain, verification_token)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (app_id, domain) DO UPDATE SET domain = excluded.domain
        RETURNING id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
                  verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
                  updated_at
        """,
        app_id,
        id,
        domain,
        verification_token,
    )


async def all_of(db: Db, *, app_id: str) -> list[Row]:
    return await many(
        db,
        Row,
        """
        SELECT id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
               verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
               updated_at
        FROM custom_domains WHERE app_id = $1 ORDER BY id
        """,
        app_id,
    )


async def by_id(db: Db, *, app_id: str, id: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        SELECT id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
               verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
               updated_at
        FROM custom_domains WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
    )


async def count(db: Db, *, app_id: str) -> int:
    return int(await value(db, "SELECT count(*) FROM custom_domains WHERE app_id = $1", app_id))


async def holder(db: Db, *, domain: str) -> Row | None:
    """Who has proven it, whichever application."""
    return await maybe(
        db,
        Row,
        """
        -- any-tenant: a domain has one proven owner over all applications
        SELECT id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
               verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
               updated_at
        FROM custom_domains WHERE domain = $1 AND verified_at IS NOT NULL
        """,
        domain,
    )


async def due(db: Db, *, every: float) -> list[Row]:
    """Proven domains whose proof was not looked at for `every` seconds."""
    return await many(
        db,
        Row,
        """
        -- any-tenant: the sweep looks after the domains of all applications
        SELECT id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
               verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
               updated_at
        FROM custom_domains
        WHERE verified_at IS NOT NULL AND checked_at < now() - make_interval(secs => $1)
        ORDER BY checked_at LIMIT 100
        """,
        every,
    )


async def uncertified(db: Db) -> list[Row]:
    """Proven domains that the edge network does not serve yet, and did not refuse for good."""
    return await many(
        db,
        Row,
        """
        -- any-tenant: the sweep looks after the domains of all applications
        SELECT id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
               verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
               updated_at
        FROM custom_domains
        WHERE verified_at IS NOT NULL
          AND (cf_custom_hostname_id IS NULL OR certificate_status IS DISTINCT FROM 'active')
          AND (certificate_status IS NULL OR certificate_status NOT LIKE 'refused%')
        ORDER BY id LIMIT 100
        """,
    )


async def checked(
    db: Db, *, app_id: str, id: str, txt_ok: bool, cname_ok: bool, last_error: str | None
) -> None:
    """Remember what was seen. `updated_at` says since when the proof is there, or is gone."""
    await run(
        db,
        """
        UPDATE custom_domains
        SET txt_ok = $3, cname_ok = $4, last_error = $5, checked_at = now(),
            updated_at = CASE WHEN txt_ok = $3 THEN updated_at ELSE now() END
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        txt_ok,
        cname_ok,
        last_error,
    )


async def unsure(db: Db, *, app_id: str, id: str, last_error: str) -> None:
    """The DNS did not answer: that says nothing about the proof."""
    await run(
        db,
        """
        UPDATE custom_domains SET last_error = $3, checked_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        last_error,
    )


async def verified(db: Db, *, app_id: str, id: str) -> bool:
    """True where it was not yet. The unique index refuses a second owner."""
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


async def lost(db: Db, *, app_id: str, id: str, verification_token: str) -> bool:
    """Proven no more; a new proof needs the new token."""
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
    """One statement cannot move a unique mark from row to row: take it, then give it."""
    await run(
        db,
        "UPDATE custom_domains SET is_primary = false WHERE app_id = $1 AND is_primary",
        app_id,
    )
    await run(
        db, "UPDATE custom_domains SET is_primary = true WHERE app_id = $1 AND id = $2", app_id, id
    )


async def follow_primary(db: Db, *, app_id: str) -> None:
    """The registry's copy of the primary domain, by which hosts are made without a join."""
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


async def certificate(
    db: Db, *, app_id: str, id: str, hostname_id: str | None, status: str | None
) -> None:
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


async def delete(db: Db, *, app_id: str, id: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        DELETE FROM custom_domains WHERE app_id = $1 AND id = $2
        RETURNING id, app_id, domain, verification_token, txt_ok, cname_ok, checked_at, last_error,
                  verified_at, is_primary, cf_custom_hostname_id, certificate_status, created_at,
                  updated_at
        """,
        app_id,
        id,
    )
