"""Which of our services and jobs are connected to a database."""

from __future__ import annotations

from aero2.migrate import ROLES
from aero2.migration_steps import Connection


async def running_services(db: Connection, *, before: object = None) -> list[str]:
    """Returns the names of services that are connected, and of `before` a moment only those whose oldest
    connection is older."""
    rows = await db.fetch(
        """
        SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND (application_name LIKE 'aero2-%/%' OR usename = ANY ($1::text[]))
          AND ($2::timestamptz IS NULL OR backend_start <= $2)
        ORDER BY 1
        """,
        [f"aero2_{role}" for role in ROLES],
        before,
    )
    return [row[0] for row in rows]
