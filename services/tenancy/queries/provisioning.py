"""Keeps track of the parts that a new application needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.db import Db, many, run, value


@dataclass(frozen=True)
class Unfinished:
    """An application that is being created or deleted."""

    id: str
    state: Literal["creating", "deleting"]
    home: str


async def unfinished(db: Db) -> list[Unfinished]:
    """Returns applications whose creation or deletion was interrupted, the Dashboard first.

    Those that changed in the last three seconds are left out: a request works on them.
    """
    return await many(
        db,
        Unfinished,
        """
        -- any-tenant: the sweep repairs all of them
        SELECT id, state, home FROM applications
        WHERE state <> 'active' AND (is_dashboard OR updated_at < now() - interval '3 seconds')
        ORDER BY is_dashboard DESC, id LIMIT 100
        """,
    )


async def lock(db: Db, *, id: str) -> bool:
    """Locks the row, so that one process at a time creates a part.

    Returns False if the application is not being created.
    """
    locked_id = await value(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        SELECT id FROM applications WHERE id = $1 AND state = 'creating' FOR UPDATE
        """,
        id,
    )
    return locked_id is not None


async def add_part(db: Db, *, id: str, part: str) -> None:
    """Records that this part of the application is complete."""
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
    """Makes the application active if it has all these parts. Returns whether this call did it."""
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
