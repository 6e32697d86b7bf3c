"""Facts about a database that a backup notes and a restore compares: rows, keys, roles, schema."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from aero2 import cluster_names
from aero2.backups import catalogue
from aero2.backups.manifest import FORMAT, Manifest, MasterKeyFact
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from common.version import VERSION


async def must_see_all(db: Connection) -> None:
    """Raises CommandError if the database has no schema of Aero2, or if row level security hides rows
    from this role: such a backup would be empty, or half."""
    if not await db.fetchval("SELECT to_regclass('public.schema_migrations') IS NOT NULL"):
        raise CommandError("This database has no schema of Aero2.")
    if await db.fetchval("SELECT row_security_active('users')"):
        raise CommandError(
            "This database role does not see all rows. Connect as a superuser or as a role with "
            "BYPASSRLS (AERO2_OWNER_DATABASE_URL)."
        )


async def describe(db: Connection, *, statistics: bool) -> Manifest:
    """Returns the manifest of the snapshot that the transaction of `db` sees, without rows and files."""
    applied = await db.fetch("SELECT name, checksum FROM schema_migrations ORDER BY name")
    return Manifest(
        format=FORMAT,
        version=VERSION,
        migrations={row["name"]: row["checksum"] for row in applied},
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lsn=await _lsn(db),
        server_version=db.get_server_version().major,
        statistics=statistics,
        master_keys=await master_keys(db),
        counts={},
        sizes=await _sizes(db),
        catalogue=await catalogue.fingerprint(db),
        roles=await _roles(db),
        cluster=await cluster_names.of_this(db),
    )


async def count_rows(
    db: Connection, tables: list[str], counted: Callable[[str], None]
) -> dict[str, int]:
    """Returns the number of rows of each table, and calls `counted` after each."""
    counts: dict[str, int] = {}
    for table in tables:
        sql = f'SELECT count(*) FROM public."{table}"'  # noqa: S608 - a name from the catalog
        counts[table] = await db.fetchval(sql)
        counted(table)
        await asyncio.sleep(0)
    return counts


async def master_keys(db: Connection) -> list[MasterKeyFact]:
    """Returns the master keys that the database knows, the oldest first."""
    rows = await db.fetch("""
        SELECT m.id, m.audit_key, m.retired_at IS NOT NULL AS retired, (
            SELECT count(*) FROM data_keys d WHERE split_part(d.wrapped, '.', 1) = m.id) AS data_keys
        FROM master_keys m ORDER BY m.age
    """)
    return [MasterKeyFact(**row) for row in rows]


async def _lsn(db: Connection) -> str:
    return str(
        await db.fetchval("""
            SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END::text
        """)
    )


async def _sizes(db: Connection) -> dict[str, int]:
    """Returns the size of each table with rows of its own. Unlogged ones are counters that a crash
    forgets, and are not backed up."""
    rows = await db.fetch("""
        SELECT relname, pg_table_size(oid) AS size FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relpersistence = 'p'
        ORDER BY relname
    """)
    return {row["relname"]: row["size"] for row in rows}


async def _roles(db: Connection) -> list[str]:
    rows = await db.fetch("""
        SELECT DISTINCT r.rolname FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
        WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (
            SELECT oid FROM pg_database WHERE datname = current_database())
          AND r.rolname NOT LIKE 'pg\\_%'
        ORDER BY 1
    """)
    return [row["rolname"] for row in rows]
