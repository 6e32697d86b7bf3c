"""Describes the schema of a database as lines of text, so that two can be compared."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from aero2.migrate import UNFINISHED_RESTORE
from aero2.migration_steps import Connection

BRACKETS: Final = re.compile(r"[()\s]+")
QUERIES: Final = {
    "table": """
        SELECT relname, relkind::text, relpersistence::text, relrowsecurity, relforcerowsecurity, relreplident::text,
               pg_get_expr(relpartbound, c.oid), pg_get_partkeydef(c.oid)
        FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')
    """,
    "column": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attgenerated::text, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid), l.collname
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraint": """
        SELECT conrelid::regclass::text, conname, contype::text, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conparentid = 0
    """,
    "index": """
        SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),
               indisvalid, indisready
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace
    """,
    "policy": """
        SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE schemaname = 'public'
    """,
    "grant on table": """
        SELECT c.relname, a.grantee::regrole::text, a.privilege_type, a.is_grantable
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
    """,
    "grant on column": """
        SELECT c.relname, t.attname, a.grantee::regrole::text, a.privilege_type
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
        WHERE c.relnamespace = 'public'::regnamespace
    """,
    "trigger": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
    """,
    "function": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """,
}
"""One query for each kind of object. The order of columns is left out, which a migration cannot choose,
and so are owners: a restore without a superuser makes everything its own."""


async def lines(db: Connection, queries: dict[str, str] = QUERIES) -> set[str]:
    """Returns a line for each object of the schema."""
    return {
        f"{kind}: {' | '.join('' if part is None else str(part) for part in row)}"
        for kind, sql in queries.items()
        for row in await db.fetch(sql)
        if row[0] != UNFINISHED_RESTORE
    }


async def fingerprint(db: Connection) -> dict[str, str]:
    """Returns for each kind of object `<number> <SHA-256>`. Parentheses and spaces do not count: PostgreSQL
    nests conditions differently once they were dumped and restored."""
    described = sorted(BRACKETS.sub("", line) for line in await lines(db))
    result: dict[str, str] = {}
    for kind in QUERIES:
        of_kind = [line for line in described if line.startswith(BRACKETS.sub("", f"{kind}: "))]
        digest = hashlib.sha256("\n".join(of_kind).encode()).hexdigest()
        result[kind] = f"{len(of_kind)} {digest}"
    return result
