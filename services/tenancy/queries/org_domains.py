"""E-mail domains of organizations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class Row:
    id: str
    org_id: str
    domain: str
    verification_token: str
    verified_at: datetime | None
    auto_join: bool
    role: str
    created_at: datetime


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
    """False where the organization has it already, or another has proven it."""
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


async def of(db: Db, *, app_id: str, org_id: str) -> list[Row]:
    return await many(
        db,
        Row,
        """
        SELECT id, org_id, domain, verification_token, verified_at, auto_join, role_id AS role,
               created_at
        FROM organization_domains WHERE app_id = $1 AND org_id = $2 ORDER BY domain
        """,
        app_id,
        org_id,
    )


async def by_id(db: Db, *, app_id: str, org_id: str, id: str) -> Row | None:
    return await maybe(
        db,
        Row,
        """
        SELECT id, org_id, domain, verification_token, verified_at, auto_join, role_id AS role,
               created_at
        FROM organization_domains WHERE app_id = $1 AND org_id = $2 AND id = $3
        """,
        app_id,
        org_id,
        id,
    )


async def prove(db: Db, *, app_id: str, id: str) -> None:
    """Raises a unique violation where another organization was faster."""
    await run(
        db,
        """
        UPDATE organization_domains SET verified_at = coalesce(verified_at, now())
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
    )


async def update(db: Db, *, app_id: str, id: str, auto_join: bool, role: str) -> None:
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
    await run(db, "DELETE FROM organization_domains WHERE app_id = $1 AND id = $2", app_id, id)
