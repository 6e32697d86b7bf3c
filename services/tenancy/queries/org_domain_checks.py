"""Reads and writes when the e-mail domains of organizations were last looked up in the DNS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.db import Db, many, run

CLAIM: Final = """
    -- any-tenant: the recheck looks after the domains of all applications
    WITH due AS (
        SELECT app_id, id FROM organization_domains
        WHERE verified_at IS NOT NULL AND checked_at < now() - make_interval(secs => $1)
        ORDER BY checked_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE organization_domains o SET checked_at = now() FROM due
    WHERE o.app_id = due.app_id AND o.id = due.id
    RETURNING o.app_id, o.id, o.org_id, o.domain, o.verification_token
    """


@dataclass(frozen=True)
class DueDomain:
    """A verified domain whose record is to be looked up."""

    app_id: str
    id: str
    org_id: str
    domain: str
    verification_token: str


async def claim(db: Db, *, every: float) -> list[DueDomain]:
    """Returns verified domains that were not looked up for `every` seconds. No other replica gets
    them."""
    return await many(db, DueDomain, CLAIM, every)


async def set_present(db: Db, *, app_id: str, id: str) -> None:
    """Stores that the record is there."""
    await run(
        db,
        """
        UPDATE organization_domains SET missing_since = NULL
        WHERE app_id = $1 AND id = $2 AND missing_since IS NOT NULL
        """,
        app_id,
        id,
    )


async def set_missing(db: Db, *, app_id: str, id: str, grace: float) -> bool:
    """Stores that the record is missing. Returns True if it has been missing for `grace` seconds: the
    domain is then no longer verified."""
    await run(
        db,
        """
        UPDATE organization_domains SET missing_since = coalesce(missing_since, now())
        WHERE app_id = $1 AND id = $2 AND verified_at IS NOT NULL
        """,
        app_id,
        id,
    )
    return (
        await run(
            db,
            """
            UPDATE organization_domains SET verified_at = NULL, missing_since = NULL
            WHERE app_id = $1 AND id = $2 AND verified_at IS NOT NULL
              AND missing_since < now() - make_interval(secs => $3)
            """,
            app_id,
            id,
            grace,
        )
        == 1
    )
