"""Reads and writes the e-mail domains of organizations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class OrgDomainRow:
    """A domain, and the role of members who join by it."""

    id: str
    org_id: str
    domain: str
    verification_token: str
    verified_at: datetime | None
    missing_since: datetime | None
    auto_join: bool
    role: str
    created_at: datetime


DOMAINS: Final = """
    id, org_id, domain, verification_token, verified_at, missing_since, auto_join, role_id AS role,
           created_at
    FROM organization_domains WHERE app_id = $1 AND org_id = $2"""
BY_ID: Final = f"SELECT {DOMAINS} AND id = $3"
OF_ORGANIZATION: Final = f"SELECT {DOMAINS} ORDER BY domain"


async def by_id(db: Db, *, app_id: str, org_id: str, id: str) -> OrgDomainRow | None:
    """Returns the domain, or None."""
    return await maybe(db, OrgDomainRow, BY_ID, app_id, org_id, id)


async def of_organization(db: Db, *, app_id: str, org_id: str) -> list[OrgDomainRow]:
    """Returns the organization's domains, by name."""
    return await many(db, OrgDomainRow, OF_ORGANIZATION, app_id, org_id)


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    org_id: str,
    domain: str,
    token: str,
    auto_join: bool,
    role: str,
) -> bool:
    """Adds a domain that is to be proven.

    Returns False if the organization has it already, or another has proven it. Raises
    ForeignKeyViolationError for an unknown role.
    """
    return (
        await run(
            db,
            """
            INSERT INTO organization_domains
                (app_id, id, org_id, domain, verification_token, auto_join, role_id)
            SELECT $1, $2, $3, $4, $5, $6, $7
            WHERE NOT EXISTS (
                SELECT FROM organization_domains
                WHERE app_id = $1 AND domain = $4 AND verified_at IS NOT NULL
            )
            ON CONFLICT DO NOTHING
            """,
            app_id,
            id,
            org_id,
            domain,
            token,
            auto_join,
            role,
        )
        == 1
    )


async def set_verified(db: Db, *, app_id: str, id: str) -> None:
    """Marks the domain as proven. Raises UniqueViolationError if another organization has it."""
    await run(
        db,
        """
        UPDATE organization_domains
        SET verified_at = coalesce(verified_at, now()), checked_at = now(), missing_since = NULL
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
    )


async def update(db: Db, *, app_id: str, id: str, auto_join: bool, role: str) -> None:
    """Sets how people join. Raises ForeignKeyViolationError for an unknown role."""
    await run(
        db,
        """
        UPDATE organization_domains SET auto_join = $3, role_id = $4
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        auto_join,
        role,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    """Deletes the domain."""
    await run(db, "DELETE FROM organization_domains WHERE app_id = $1 AND id = $2", app_id, id)
