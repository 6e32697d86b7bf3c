"""Gives an application its rows back, so that each contract of a test finds what was there at first."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
from tests.isolation.sides import Sides


@dataclass(frozen=True)
class SavedRows:
    """Copies of an application's rows, in a schema beside the tables of each cluster."""

    app_id: str
    statements: str

    @classmethod
    async def save(cls, sides: Sides, app_id: str) -> SavedRows:
        """Copies all rows of the application. The last commands of the services have ended."""
        for owner in sides.world.owners:
            await owner.execute("DROP SCHEMA IF EXISTS saved CASCADE; CREATE SCHEMA saved")
        parts = []
        for table, columns in (await _columns(sides.world.main_owner)).items():
            place = "id" if table == "applications" else "app_id"
            for owner in sides.world.owners:
                await owner.execute(
                    f"CREATE TABLE saved.{table} AS SELECT {columns} FROM {table}"
                    f" WHERE {place} = '{app_id}'"
                )
            parts.append(
                f"DELETE FROM {table} WHERE {place} = '{app_id}';"
                f" INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM saved.{table};"
            )
        begin = "BEGIN; SET LOCAL session_replication_role = replica;"
        return cls(app_id, f"{begin} {' '.join(parts)} COMMIT;")

    async def restore(self, sides: Sides) -> None:
        """Replaces the application's rows by the copies. No process remembers the others."""
        for owner in sides.world.owners:
            await owner.execute(self.statements)
        sides.world.tenants.cache.clear()
        sides.world.oidc.caches.clear()


async def _columns(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    """Returns the columns of each table that has rows of applications, as SQL."""
    rows = await owner.fetch(
        """
        SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = ''
          AND (c.relname = 'applications' OR EXISTS (
              SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'app_id'))
        GROUP BY c.relname ORDER BY c.relname
        """
    )
    return {row["relname"]: row["columns"] for row in rows}
