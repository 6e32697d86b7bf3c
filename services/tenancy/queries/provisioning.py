"""Statements that make an application step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.db import Db, many, run, value


@dataclass(frozen=True)
class Unfinished:
    id: str
    state: Literal["creating", "deleting"]


async def unfinished(db: Db) -> list[Unfinished]:
    """Applications whose making or deletion was interrupted; one at which a request is right now
    is left alone."""
    return await many(
        db,
        Unfinished,
        """
        -- any-tenant: the sweep repairs all of them
        SELECT id, state FROM applications
        WHERE state <> 'active' AND (is_dashboard OR updated_at < now() - interval '3 seconds')
        ORDER BY is_dashboard DESC, id LIMIT 100
        """,
    )


async def lock(db: Db, *, id: str) -> bool:
    """Hold the row until the transaction ends, so that a step is taken by one process."""
    found = await value(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT id FROM applications WHERE id = $1 AND state = 'creating' FOR UPDATE
        """,
        id,
    )
    return found is not None


async def mark(db: Db, *, id: str, part: str) -> None:
    """This part of the application stands."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications SET provisioned = array_append(provisioned, $2), updated_at = now()
        WHERE id = $1 AND NOT provisioned @> ARRAY[$2]
        """,
        id,
        part,
    )


async def activate(db: Db, *, id: str, parts: list[str]) -> bool:
    """True for the one call that makes it active; needs every part."""
    return (
        await run(
            db,
            """
            -- any-tenant: applications is the registry of tenants
            UPDATE applications SET state = 'active', updated_at = now()
            WHERE id = $1 AND state = 'creating' AND provisioned @> $2::text[]
            """,
            id,
            parts,
        )
        == 1
    )
