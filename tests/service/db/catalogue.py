"""Describes a database as lines of text, so that a test can compare two: what a backup compares, and what a
restore may change, such as owners and storage."""

from __future__ import annotations

from typing import Final

import asyncpg

from aero2.backups import catalogue

QUERIES: Final = catalogue.QUERIES | {
    "table": """
        SELECT relname, relkind::text, relpersistence::text, relrowsecurity, relforcerowsecurity, relreplident::text,
               pg_get_userbyid(relowner), pg_get_expr(relpartbound, c.oid), pg_get_partkeydef(c.oid),
               reloptions::text,
               (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid)
        FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')
    """,
    "column": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attgenerated::text, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid), l.collname,
               a.attstattarget, a.attstorage::text, a.attcompression::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraint that was not validated": """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND NOT convalidated
    """,
    "index": """
        SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),
               indisvalid, indisready, indisprimary, indisreplident, indisclustered
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace
    """,
    "grant on table": """
        SELECT c.relname, a.grantee::regrole::text, a.privilege_type, a.is_grantable
        FROM pg_class c, aclexplode(c.relacl) a WHERE relnamespace = 'public'::regnamespace
    """,
    "trigger": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid), tgenabled::text
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
    """,
    "function": """
        SELECT proname, pg_get_functiondef(oid), pg_get_userbyid(proowner)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """,
    "grant on function": """
        SELECT p.oid::regprocedure::text, a.grantee::regrole::text, a.privilege_type
        FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
        WHERE pronamespace = 'public'::regnamespace
    """,
    "statistics": """
        SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
        WHERE stxnamespace = 'public'::regnamespace
    """,
    "row": """
        SELECT id::text, slug, name, settings::text FROM applications WHERE is_dashboard
    """,
}


async def describe(dsn: str) -> set[str]:
    """Returns everything but the order of columns, which a migration cannot choose."""
    db = await asyncpg.connect(dsn)
    try:
        return await lines(db)
    finally:
        await db.close()


async def lines(db: asyncpg.Connection[asyncpg.Record]) -> set[str]:
    """Returns the same of a connection's database, with what its transaction has changed."""
    return await catalogue.lines(db, QUERIES)
