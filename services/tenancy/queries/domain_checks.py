"""Reads and writes when domains were last looked up in the DNS, and with what result."""

from __future__ import annotations

from typing import Final

from common.db import Db, many, run
from tenancy.queries.domains import COLUMNS, CustomDomainRow

DUE: Final = f"""
    -- any-tenant: the recheck looks after the domains of all applications
    SELECT {COLUMNS} FROM custom_domains
    WHERE verified_at IS NOT NULL AND checked_at < now() - make_interval(secs => $1)
    ORDER BY checked_at LIMIT 100
    """
WITHOUT_CERTIFICATE: Final = f"""
    -- any-tenant: the recheck looks after the domains of all applications
    SELECT {COLUMNS} FROM custom_domains
    WHERE verified_at IS NOT NULL
      AND (cf_custom_hostname_id IS NULL OR certificate_status IS DISTINCT FROM 'active')
      AND (certificate_status IS NULL OR certificate_status NOT LIKE 'refused%')
    ORDER BY id LIMIT 100
    """


async def due(db: Db, *, every: float) -> list[CustomDomainRow]:
    """Returns verified domains that were not looked up for `every` seconds."""
    return await many(db, CustomDomainRow, DUE, every)


async def without_certificate(db: Db) -> list[CustomDomainRow]:
    """Returns verified domains that Cloudflare neither serves nor has refused."""
    return await many(db, CustomDomainRow, WITHOUT_CERTIFICATE)


async def set_result(
    db: Db, *, app_id: str, id: str, txt_ok: bool, cname_ok: bool, last_error: str | None
) -> None:
    """Stores what the DNS answered. `updated_at` is when the TXT record last came or went."""
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


async def set_error(db: Db, *, app_id: str, id: str, last_error: str) -> None:
    """Stores that the DNS did not answer. That says nothing about the proof."""
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
