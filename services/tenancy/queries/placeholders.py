"""Reads and writes placeholders: an application's row in the cluster that has its rows."""

from __future__ import annotations

from common.db import Db, Link, run
from tenancy.queries.applications import ApplicationRow


async def put(db: Db, row: ApplicationRow) -> None:
    """Writes the placeholder at home, with the settings that statements read there."""
    await run(
        db,
        """
        -- any-tenant: the placeholder stands for the registry's row
        INSERT INTO applications (id, slug, name, settings, created_at, updated_at, state, home)
        VALUES ($1, $2, $3, $4, $5, $6, 'active', $7)
        ON CONFLICT (id) DO UPDATE
        SET slug = excluded.slug, name = excluded.name, settings = excluded.settings,
            updated_at = excluded.updated_at
        """,
        row.id,
        row.slug,
        row.name,
        row.settings,
        row.created_at,
        row.updated_at,
        row.home,
    )


async def set_at_home(db: Db, *, id: str) -> None:
    """Records on `main` that the placeholder has the settings of now."""
    await run(
        db,
        """
        -- any-tenant: applications is the registry of tenants
        UPDATE applications SET at_home = true WHERE id = $1
        """,
        id,
    )


async def delete_with_rows(db: Link, *, id: str, home: str, within: float) -> None:
    """Deletes the placeholder and, by foreign key, everything in the application.

    A large application takes long: `within` is the limit in seconds.
    """
    await db.execute(f"SET LOCAL statement_timeout = {round(within * 1000)}")
    await db.execute(
        """
        -- any-tenant: the placeholder stands for the registry's row
        DELETE FROM applications WHERE id = $1 AND home = $2
        """,
        id,
        home,
        timeout=within,
    )


async def not_at_home(db: Db) -> list[str]:
    """Returns the ids of applications whose placeholder is missing or has old settings."""
    rows = await db.fetch(
        """
        -- any-tenant: the sweep repairs all of them
        SELECT id FROM applications
        WHERE NOT at_home AND state <> 'deleting' AND updated_at < now() - interval '3 seconds'
        ORDER BY id LIMIT 100
        """
    )
    return [row["id"] for row in rows]


async def note_home(db: Db, *, home: str) -> None:
    """Records on `main` that the cluster is the home of an application."""
    await run(
        db,
        """
        -- any-tenant: names a cluster
        INSERT INTO clusters (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
        """,
        home,
    )


async def forget_home(db: Db, *, home: str) -> None:
    """Forgets a cluster that is the home of no application any more."""
    await run(
        db,
        """
        -- any-tenant: names a cluster
        DELETE FROM clusters
        WHERE name = $1 AND NOT is_this
          AND NOT EXISTS (SELECT FROM applications WHERE home = $1 AND home <> 'main')
        """,
        home,
    )
